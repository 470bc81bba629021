using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

public sealed class DataFolderTests : IDisposable
{
    private readonly TempFolder _temp = new();

    private string Data => Path.Combine(_temp.Path, "data");

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void One_owner_at_a_time_has_the_folder()
    {
        using (DataFolder.Open(Data))
        {
            var refusal = Assert.Throws<IOException>(() => DataFolder.Open(Data));
            Assert.Equal(
                $"The data folder {Data} is in use by another Tenon. "
                    + "Stop that one, or choose another folder with --data.",
                refusal.Message);
        }

        using var next = DataFolder.Open(Data);
        Assert.Equal(Path.Combine(Data, "tenon.db"), next.DatabasePath);
    }

    [Fact]
    public void Only_the_owner_reads_the_database_and_looks_around()
    {
        using var folder = DataFolder.Open(Data);
        var database = new SqliteDatabase(folder.DatabasePath);
        database.Migrate();
        using var open = database.Open();
        using (var write = open.CreateCommand())
        {
            write.CommandText = "CREATE TABLE probe (id)";
            write.ExecuteNonQuery();
        }

        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(folder.DatabasePath));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(folder.DatabasePath + "-wal"));
        const UnixFileMode Others =
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(Data) & Others);
        open.Dispose();
        database.Close();
    }

    [Fact]
    public async Task A_start_that_was_killed_while_it_migrated_holds_up_no_later_one()
    {
        using var folder = DataFolder.Open(Data);
        var database = new SqliteDatabase(folder.DatabasePath);
        database.Migrate();
        using (var open = database.Open())
        using (var leave = open.CreateCommand())
        {
            leave.CommandText =
                """
                CREATE TABLE IF NOT EXISTS "__EFMigrationsLock" ("Id" INTEGER PRIMARY KEY, "Timestamp" TEXT NOT NULL);
                INSERT INTO "__EFMigrationsLock" VALUES (1, '2026-11-22 12:00:00+00:00')
                """;
            leave.ExecuteNonQuery();
        }

        await Task.Run(database.Migrate, TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        database.Close();
    }

    [Fact]
    public void A_server_on_a_folder_in_use_does_not_start()
    {
        using var held = DataFolder.Open(Data);
        var settings = Tenon.Server.Configuration.SettingsReader.Read(
            ["--data", Data, "--urls", "http://127.0.0.1:0"], new System.Collections.Hashtable());

        Assert.Throws<IOException>(() => TenonServer.Build(settings, out _));
    }
}
