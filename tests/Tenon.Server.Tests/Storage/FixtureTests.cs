using Microsoft.Data.Sqlite;
using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>What servers of earlier versions left on their disks is opened by this one, and goes on.</summary>
public sealed class FixtureTests : IDisposable
{
    /// <summary>The data folder of a fixture.</summary>
    public const string Folder = "installation";

    private readonly TempFolder _temp = new();

    public static string Root { get; } =
        Path.Combine(Repository.Root, "tests", "Tenon.Server.Tests", "Storage", "Fixtures");

    public static TheoryData<string> Versions { get; } =
        [.. Directory.EnumerateDirectories(Root).Select(path => Path.GetFileName(path)).Order()];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(_temp.Path, "data");

    /// <summary>A copy that no server opens.</summary>
    private string Pristine => Path.Combine(_temp.Path, "pristine");

    public void Dispose() => _temp.Dispose();

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Everything_is_listed_and_every_history_is_byte_for_byte_what_was_written(string version)
    {
        var kept = Open(version);
        await using var server = await TestServer.StartOn(Data);

        var sessions = (await server.Get("/v1/sessions?limit=100&include_archived=true")).Ok().At("data");
        Assert.Equal(
            kept.Values.Select(session => session.Text("id")).Order(), sessions.Texts("id").Order());
        foreach (var (state, session) in kept)
        {
            var written = Written(session.Text("id"));
            var listed = (await server.Get($"/v1/sessions/{session.Text("id")}/events")).Ok().At("data")
                .EnumerateArray().Select(@event => @event.GetRawText()).ToList();

            // What was at work goes on at once: its history grows, and a message that waited takes effect.
            var goesOn = state is "running" or "rescheduling";
            Assert.Equal(
                written.Where(body => !goesOn || !body.Contains("\"processed_at\":null", StringComparison.Ordinal)),
                goesOn ? listed.Where(written.Contains) : listed);
        }

        var agents = (await server.Get("/v1/agents?limit=100&include_archived=true")).Ok().At("data");
        Assert.Equal(Rows("SELECT id FROM agent ORDER BY id"), agents.Texts("id").Order());
        var idle = sessions.EnumerateArray().Single(session => session.Text("id") == kept["idle"].Text("id"));
        var versions = (await server.Get($"/v1/agents/{idle.Text("agent.id")}/versions")).Ok().At("data");
        Assert.Equal([2, 1], versions.EnumerateArray().Select(agent => agent.At("version").GetInt32()));
        var environments = (await server.Get("/v1/environments?limit=100")).Ok().At("data");
        Assert.Equal(Rows("SELECT id FROM environment ORDER BY id"), environments.Texts("id").Order());
        var files = (await server.Get("/v1/files?limit=100")).Ok().At("data");
        Assert.Equal(Rows("SELECT id FROM file ORDER BY id"), files.Texts("id").Order());
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_session_that_was_at_work_goes_on_and_one_that_rested_takes_another_turn(string version)
    {
        var kept = Open(version);
        await using var server = await TestServer.StartOn(
            Data, models => models.Of(kept["running"].Text("model")).Says("went on").Says("and answered"));
        var running = await Session(server, kept["running"]);
        await running.UntilIdle(Cancelled);

        Assert.Equal(["went on"], (await running.List("?types[]=agent.message")).Texts("content.0.text").Take(1));
        foreach (var state in (string[])["idle", "compacted", "switched", "budget", "file", "denied"])
        {
            var session = await Session(server, kept[state]);
            session.Model.Says($"{state} again");
            var turn = await session.Run(TestSession.Says("once more"));
            Assert.Equal($"{state} again",
                turn.Single(@event => @event.Name == "agent.message").Json.Text("content.0.text"));
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_call_that_waited_for_the_client_still_does(string version)
    {
        var kept = Open(version);
        await using var server = await TestServer.StartOn(Data);
        foreach (var (state, answer) in (IReadOnlyList<(string, Func<string, string>)>)[
            ("asks", call => TestSession.Confirms(call, "allow")),
            ("custom", call => TestSession.AnswersCall(call, "sun")),
            ("self_hosted", call => TestSession.AnswersTool(call, "/home"))])
        {
            var session = await Session(server, kept[state]);
            var last = (await session.List("?types[]=session.status_idle")).EnumerateArray().Last();
            session.Model.Says("done");

            var turn = await session.Run(answer(last.Text("stop_reason.event_ids.0")));

            Assert.Equal("end_turn", turn[^1].Json.Text("stop_reason.type"));
        }

        (await server.Post($"/v1/sessions/{kept["terminated"].Text("id")}/events",
            $$"""{"events":[{{TestSession.Says("no")}}]}""")).Refused(409, "Session");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task What_a_later_version_added_to_internal_entries_is_passed_by_and_stays(string version)
    {
        var kept = Open(version);
        var id = kept["idle"].Text("id");
        Change("UPDATE log SET body='{\"later\":{\"a\":[1]},'||substr(body,2) WHERE internal=1");
        Change($$"""
            INSERT INTO log (session, seq, thread, id, type, at, body, internal)
            SELECT session, max(seq)+1, thread, 'later', 'internal.later', at, '{"x" : 1}', 1
            FROM log WHERE session='{{id}}'
            """);
        var before = Rows("SELECT body FROM log WHERE internal=1 ORDER BY session, seq");
        await using (var server = await TestServer.StartOn(Data))
        {
            var session = await Session(server, kept["idle"]);
            session.Model.Says("not disturbed");
            await session.Run(TestSession.Says("hi"));
            var compacted = await Session(server, kept["compacted"]);
            compacted.Model.Says("nor this");
            await compacted.Run(TestSession.Says("hi"));
        }

        Assert.Empty(before.Except(Rows("SELECT body FROM log WHERE internal=1")));
        Assert.Contains("""{"x" : 1}""", before);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_fixture_holds_every_kind_of_internal_entry_and_most_events(string version)
    {
        Open(version);
        var types = Rows("SELECT DISTINCT type FROM log");

        Assert.Empty(new[]
        {
            LogTypes.ModelAnswer, LogTypes.SandboxOpened, LogTypes.ModelSwitched, LogTypes.Compacted,
            "agent.custom_tool_use", "agent.message", "agent.thinking", "agent.thread_context_compacted",
            "agent.tool_result", "agent.tool_use", "session.error", "session.status_idle",
            "session.status_rescheduled", "session.status_running", "session.status_terminated",
            "session.thread_status_idle", "session.thread_status_running", "session.thread_status_terminated",
            "session.updated", "session.usage", "span.model_request_end", "span.model_request_start",
            "system.message", "user.custom_tool_result", "user.interrupt", "user.message",
            "user.tool_confirmation", "user.tool_result",
        }.Except(types));
        Assert.Equal(
            ["idle", "rescheduling", "running", "terminated"],
            Rows("SELECT DISTINCT status FROM session ORDER BY status"));
    }

    /// <summary>Copies the fixture; its sessions by the state that each is in.</summary>
    private Dictionary<string, JsonElement> Open(string version)
    {
        var from = Path.Combine(Root, version, Folder);
        Directory.CreateDirectory(Pristine);
        File.Copy(Path.Combine(from, "tenon.db"), Path.Combine(Pristine, "tenon.db"));
        Directory.CreateDirectory(Path.Combine(Data, "files"));
        foreach (var path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(path, Path.Combine(Data, Path.GetRelativePath(from, path)));
        }

        var sessions = JsonElement.Parse(File.ReadAllText(Path.Combine(Root, version, "sessions.json")));
        return sessions.EnumerateObject().ToDictionary(member => member.Name, member => member.Value);
    }

    private static async Task<TestSession> Session(TestServer server, JsonElement kept)
    {
        var created = (await server.Get($"/v1/sessions/{kept.Text("id")}")).Ok();
        return new TestSession(server, created, server.Models.Of(kept.Text("model")));
    }

    /// <summary>What clients saw of the session when the fixture was made.</summary>
    private List<string> Written(string id) => Rows(Pristine, $"""
        SELECT body FROM log l WHERE session='{id}' AND internal=0
        AND NOT EXISTS (SELECT 1 FROM log n WHERE n.session=l.session AND n.id=l.id AND n.seq>l.seq) ORDER BY seq
        """);

    private void Change(string sql) => Rows(sql);

    private List<string> Rows(string sql) => Rows(Data, sql);

    private static List<string> Rows(string data, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(data, "tenon.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Texts of this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }
}
