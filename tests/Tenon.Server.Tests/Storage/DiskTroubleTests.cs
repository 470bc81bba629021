using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>A disk that is full, read-only or damaged, or held by somebody else, under a server.</summary>
public sealed class DiskTroubleTests : IDisposable
{
    private readonly TempFolder _temp = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(_temp.Path, "data");

    public void Dispose() => _temp.Dispose();

    [Fact]
    public async Task A_full_disk_is_said_and_what_was_cut_short_goes_on_by_itself_when_there_is_room()
    {
        using var disk = new SmallDisk(_temp.Path, kilobytes: 8 * 1024);
        await using var server = await TestServer.StartOn(Path.Combine(disk.Path, "data"));
        var session = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("lost");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("hi"));
        await session.Model.Asked(Cancelled);
        var seen = (await stream.Until("span.model_request_start")).ToList();

        disk.Fill();
        gate.SetResult();
        var health = await HealthOf(server, 503, "disk_full");
        var sent = await session.Post(TestSession.Says("this is not kept"));
        var created = await server.Post("/v1/agents", new { name = "a", model = "m" });

        const string Full = "The disk of the data folder is full. Free some of it. The server goes on by itself.";
        Assert.Equal(Full, health.Json.Text("message"));
        sent.Refused(529, "The event log did not confirm this. ");
        created.Refused(503, Full);

        session.Model.Says("kept");
        disk.MakeRoom();
        seen.AddRange(await stream.Until("session.status_idle"));

        Assert.Equal(
            (await session.List()).EnumerateArray().Select(json => json.GetRawText()),
            seen.Select(frame => frame.Json.GetRawText()));
        Assert.Equal(["kept"], seen.Where(frame => frame.Name == "agent.message")
            .Select(frame => frame.Json.Text("content.0.text")));
        Assert.Single(seen, frame => frame.Name == "user.message");
        await HealthOf(server, 200);
        session.Model.Says("and on");
        Assert.Equal("session.status_idle", (await session.Run(TestSession.Says("more")))[^1].Name);
    }

    [Fact]
    public async Task A_session_whose_model_still_answers_when_the_disk_has_room_again_is_woken_too()
    {
        using var disk = new SmallDisk(_temp.Path, kilobytes: 8 * 1024);
        await using var server = await TestServer.StartOn(Path.Combine(disk.Path, "data"));
        var session = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("late");
        await session.Send(TestSession.Says("hi"));
        await session.Model.Asked(Cancelled);

        disk.Fill();
        (await session.Post(TestSession.Says("refused while the turn runs"))).Refused(529, "The event log did not");

        // It is woken as soon as there is room, and asks at once.
        session.Model.Says("kept");
        disk.MakeRoom();
        await HealthOf(server, 200);
        gate.SetResult();
        await session.UntilIdle(Cancelled);

        Assert.Equal(["user.message"], (await session.Types()).Where(type => type == "user.message"));
        Assert.Equal("kept", (await session.List("?types[]=agent.message")).Text("0.content.0.text"));
    }

    [Fact]
    public async Task A_read_only_disk_is_said_and_is_over_when_it_can_be_written_again()
    {
        await using var server = await TestServer.StartOn(Data);
        var session = await server.NewSession();
        await HealthOf(server, 200);

        SmallDisk.Run("mount", "--bind", Data, Data);
        try
        {
            SmallDisk.Run("mount", "-o", "remount,bind,ro", Data);
            Reopen(server);
            await HealthOf(server, 503, "disk_read_only");
            (await session.Post(TestSession.Says("no"))).Refused(529, "The event log did not confirm this. The data");
        }
        finally
        {
            SmallDisk.Run("umount", "--lazy", Data);
        }

        await HealthOf(server, 200);
        session.Model.Says("yes");
        Assert.Equal("session.status_idle", (await session.Run(TestSession.Says("now")))[^1].Name);
    }

    [Fact]
    public async Task A_database_that_another_program_holds_is_said_and_reads_go_on()
    {
        await using var server = await TestServer.StartOn(Data);
        var session = await server.NewSession();
        using (var other = new SqliteConnection($"Data Source={Path.Combine(Data, "tenon.db")};Pooling=False"))
        {
            other.Open();
            using var held = other.BeginTransaction(deferred: false);
            await HealthOf(server, 503, "database_locked");
            (await server.Get(session.Path)).Ok();
        }

        await HealthOf(server, 200);
        session.Model.Says("yes");
        Assert.Equal("session.status_idle", (await session.Run(TestSession.Says("now")))[^1].Name);
    }

    [Fact]
    public async Task A_damaged_database_is_not_served_and_stays_as_it_is()
    {
        await using (var server = await TestServer.StartOn(Data))
        {
            await server.NewSession();
        }

        var path = Path.Combine(Data, DataFolder.DatabaseName);
        DamagedDatabase.Damage(path);
        var damaged = await File.ReadAllBytesAsync(path, Cancelled);

        var refusal = await Assert.ThrowsAsync<DamagedDatabaseException>(() => TestServer.StartOn(Data));

        Assert.StartsWith($"The database {path} is damaged: ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("./tenon restore --from FILE --data DIR", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(damaged, await File.ReadAllBytesAsync(path, Cancelled));
    }

    [Fact]
    public async Task Damage_under_a_serving_server_is_said_and_nothing_more_is_written()
    {
        var path = Path.Combine(Data, DataFolder.DatabaseName);
        byte[] damaged;
        await using (var server = await TestServer.StartOn(Data))
        {
            var session = await server.NewSession();
            session.Model.Says("hello");
            await session.Run(TestSession.Says("hi"));
            Checkpoint(path);
            DamagedDatabase.Damage(path);
            damaged = await File.ReadAllBytesAsync(path, Cancelled);
            Reopen(server);

            const string Message = "The database tenon.db in the data folder is damaged, and nothing more is written";
            (await server.Get($"{session.Path}/events")).Refused(500, Message);
            await HealthOf(server, 503, "database_damaged");
            (await server.Post("/v1/agents", new { name = "a", model = "m" })).Refused(500, Message);
            (await session.Post(TestSession.Says("no"))).Refused(500, "");
        }

        Assert.Equal(damaged, await File.ReadAllBytesAsync(path, Cancelled));
    }

    /// <summary>Asks until the server has noticed, or until it has recovered.</summary>
    private static async Task<Answer> HealthOf(TestServer server, int status, string? reason = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (true)
        {
            var health = await server.Get("/health");
            if (health.Status == status && (reason is null || health.Json.Text("reason") == reason))
            {
                return health;
            }

            patience.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Has the server's next statements open the file anew, as they do after a while.</summary>
    private static void Reopen(TestServer server) =>
        ((SqliteDatabase)server.Services.GetRequiredService<IDatabase>()).Close();

    private static void Checkpoint(string path)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
        command.ExecuteNonQuery();
    }
}
