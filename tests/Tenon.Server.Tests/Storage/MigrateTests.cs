using Npgsql;
using System.Collections;
using System.Text.Json;
using Tenon.Server.Configuration;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Memory;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary><c>tenon migrate</c>: an installation goes from SQLite to PostgreSQL whole, or not at all.</summary>
public sealed class MigrateTests : IDisposable
{
    private readonly StringWriter _output = new();

    public void Dispose() => _output.Dispose();

    [Fact]
    public async Task An_installation_is_the_same_after_it_and_goes_on()
    {
        await using var before = await TestServer.Start();
        var session = await before.NewSession();
        session.Model.Says("one \\u0000 日本");
        await session.Run(JsonSerializer.Serialize(new
        {
            type = "user.message",
            content = new[] { new { type = "text", text = "nul \0, quote \", é" } },
        }));
        var agent = (await before.Get($"/v1/agents/{session.AgentId}")).Ok();
        var events = await session.List();
        var stored = await session.Get();
        await before.Stop();
        var postgres = await PostgresRun.NewEmptyDatabase();

        Assert.Equal(0, await Run(before.DataDirectory, postgres));

        await using var after = await TestServer.Start(postgres: postgres);
        var moved = session with { Server = after, Model = after.Models.Of(agent.Text("model.id")) };
        Assert.Equal(events.GetRawText(), (await moved.List()).GetRawText());
        Assert.Equal(stored.At("agent").GetRawText(), (await moved.Get()).At("agent").GetRawText());
        Assert.Equal(stored.Text("created_at"), (await moved.Get()).Text("created_at"));
        Assert.Equal(agent.GetRawText(), (await after.Get($"/v1/agents/{session.AgentId}")).Ok().GetRawText());
        moved.Model.Says("two");
        Assert.Equal("session.status_idle", (await moved.Run(TestSession.Says("more")))[^1].Name);
        Assert.Contains($"log: {events.GetArrayLength() + 1} rows, sha256 ", _output.ToString());
        Assert.DoesNotContain("s3cret-password", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_memory_store_is_the_same_after_it_with_every_version()
    {
        await using var before = await TestServer.Start();
        var store = await before.NewStore("notes", ",\"metadata\":{\"a\":\"é\"}");
        var memory = await before.NewMemory(store, "/lamps/日本.md", "three \u0001 of them");
        (await before.Rewrite(store, memory, new { content = "two of them", path = "/lamps/red.md" })).Ok();
        var gone = await before.NewMemory(store, "/gone");
        (await before.Delete($"/v1/memory_stores/{store}/memories/{gone}")).Ok();
        var stored = await Shown(before, store, memory);
        await before.Stop();
        var postgres = await PostgresRun.NewEmptyDatabase();

        Assert.Equal(0, await Run(before.DataDirectory, postgres));

        await using var after = await TestServer.Start(postgres: postgres);
        Assert.Equal(stored, await Shown(after, store, memory));
        Assert.Equal(memory,
            (await after.Get($"/v1/memory_stores/{store}/search?q=two")).Ok().At("data.0").Text("memory.id"));
        (await after.Rewrite(store, memory, new { content = "one of them" })).Ok();
        Assert.Equal(5, (await after.Versions(store)).Count);
    }

    private static async Task<string> Shown(TestServer server, string store, string memory) => string.Join('\n',
    [
        (await server.Get($"/v1/memory_stores/{store}")).Ok().GetRawText(),
        (await server.Memory(store, memory)).GetRawText(),
        .. (await server.Versions(store, "&view=full")).Select(version => version.GetRawText()),
    ]);

    [Fact]
    public async Task A_target_with_rows_is_refused_and_left_alone()
    {
        using var folder = NewInstallation();
        var postgres = await PostgresRun.NewEmptyDatabase();

        Assert.Equal(0, await Run(folder.Path, postgres));
        Assert.Equal(2, await Run(folder.Path, postgres));

        Assert.Contains("The PostgreSQL database is not empty: its table 'environment' has rows.", _output.ToString());
    }

    [Fact]
    public async Task A_folder_and_a_target_that_a_server_has_open_are_refused()
    {
        await using var source = await TestServer.Start();
        var locked = await Assert.ThrowsAsync<IOException>(
            async () => await Run(source.DataDirectory, await PostgresRun.NewEmptyDatabase()));
        using var folder = NewInstallation();
        var postgres = await PostgresRun.NewDatabase();
        await using var target = await TestServer.Start(postgres: postgres);

        Assert.Equal(2, await Run(folder.Path, postgres));

        Assert.Contains("is in use by another Tenon", locked.Message, StringComparison.Ordinal);
        Assert.Contains("A Tenon server has the PostgreSQL database open.", _output.ToString());
    }

    [Fact]
    public async Task A_copy_that_differs_or_breaks_off_leaves_nothing_and_can_be_repeated()
    {
        using var folder = NewInstallation();
        var postgres = await PostgresRun.NewDatabase();
        await using var connection = new NpgsqlConnection(postgres);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await Execute(connection, """
            CREATE FUNCTION spoil() RETURNS trigger AS $$ BEGIN NEW.body := NEW.body || ' '; RETURN NEW; END $$
            LANGUAGE plpgsql;
            CREATE TRIGGER spoil BEFORE INSERT ON environment FOR EACH ROW EXECUTE FUNCTION spoil()
            """);

        Assert.Equal(1, await Run(folder.Path, postgres));
        Assert.Contains("The table 'environment' is not the same after the copy: 1 rows, ", _output.ToString());
        await Execute(connection, "ALTER TABLE environment ADD CONSTRAINT never CHECK (false)");
        Assert.Equal(1, await Run(folder.Path, postgres));
        Assert.Contains("Nothing was kept; the command can be repeated.", _output.ToString());

        await Execute(connection, """
            DROP TRIGGER spoil ON environment; ALTER TABLE environment DROP CONSTRAINT never
            """);
        Assert.Equal(0, await Run(folder.Path, postgres));
    }

    [Fact]
    public async Task What_it_needs_is_asked_for_by_name()
    {
        using var empty = new TempFolder();

        Assert.Equal("migrate needs --from DATADIR: the data folder to copy from.", await Refusal("--from"));
        Assert.Equal(
            "migrate needs --postgres or TENON_POSTGRES: where to copy to.", await Refusal("--from", empty.Path));
        Assert.Equal(
            $"--from {empty.Path}: there is no tenon.db in this folder.",
            await Refusal($"--from={empty.Path}", "--postgres", "Host=db"));
        Assert.Empty(Directory.GetFiles(empty.Path));
    }

    private async Task<string> Refusal(params string[] arguments) => (await Assert.ThrowsAsync<SettingsException>(
        () => Migrate.Run(arguments, new Hashtable(), _output))).Message;

    private Task<int> Run(string folder, string postgres) =>
        Migrate.Run(["--from", folder, "--postgres", postgres], new Hashtable(), _output);

    /// <summary>A data folder with one environment.</summary>
    private static TempFolder NewInstallation()
    {
        var temp = new TempFolder();
        using var folder = DataFolder.Open(temp.Path);
        var database = new SqliteDatabase(folder.DatabasePath);
        database.Migrate();
        using var context = database.CreateDbContext();
        context.Environments.Add(new EnvironmentRow { Id = "env_1", CreatedAt = 1, Body = "{}" });
        context.SaveChanges();
        database.Close();
        return temp;
    }

    private static async Task Execute(NpgsqlConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }
}
