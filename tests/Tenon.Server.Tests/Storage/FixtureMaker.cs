using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>Makes the fixture that <c>TENON_FIXTURE</c> names; Fixtures/README.md says when.</summary>
public sealed class FixtureMaker
{
    private const string Toolset = """[{"type":"agent_toolset_20260401"}]""";
    private const string Asking =
        """[{"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}}}]""";

    private const string Weather =
        """[{"type":"custom","name":"get_weather","description":"d","input_schema":{"type":"object"}}]""";

    private const string Priced = "claude-sonnet-5";
    private const long Window = 200_000;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly Dictionary<string, object> _made = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Make()
    {
        var name = Environment.GetEnvironmentVariable("TENON_FIXTURE") ?? throw new InvalidOperationException(
            "TENON_FIXTURE must name the fixture to make, as v2.");
        var target = Path.Combine(FixtureTests.Root, name);
        Directory.CreateDirectory(Path.Combine(target, FixtureTests.Folder));
        var limits = new Limits { ModelAttemptsMax = 2, RetryDelay = TimeSpan.FromMilliseconds(1) };
        await using var server = await TestServer.Start(services => services.AddSingleton(limits));
        await MakeResting(server);
        await MakeWaiting(server);
        await MakeWorking(server);
        await server.Stop();
        Save(server.DataDirectory, target);
    }

    private async Task MakeResting(TestServer server)
    {
        var idle = Add("idle", await server.NewSession(Toolset, "\"title\":\"first\""));
        idle.Model.Answers(new ModelThinking("hm", "signature"), new ModelText("hello"));
        await idle.Run(TestSession.Says("hi"));
        await idle.Shell("echo from the sandbox");
        (await server.Post(idle.Path, """{"title":"second","metadata":{"k":"v"}}""")).Ok();
        (await server.Post($"/v1/agents/{idle.AgentId}", """{"version":1,"description":"now with version 2"}""")).Ok();
        idle.Model.SaysAndHangs("half");
        await idle.Send(TestSession.Says("and now?"));
        await using (var stream = await idle.Stream())
        {
            await idle.Send(TestSession.Interrupts);
            await stream.Until("session.status_idle");
        }

        var compacted = Add("compacted", await server.NewSession());
        compacted.Model.Answers(new ModelResponse
        {
            Stop = ModelStop.EndTurn, Content = [new ModelText("a long answer")],
            Usage = new ModelUsage { InputTokens = Window },
        }).Says("the summary").Says("going on");
        await compacted.Run(TestSession.Says("first"));
        await compacted.Run(TestSession.Says("second"));

        var switched = Add("switched", await server.NewSession());
        switched.Model.FallsBackTo = ["fallback"];
        switched.Model.Fails(ModelFaultKind.Overloaded).Fails(ModelFaultKind.Overloaded);
        server.Models.Of("fallback").Says("from the fallback");
        await switched.Run(TestSession.Says("hi"));

        var budget = Add("budget", await server.NewSessionOf(Priced, await server.NewAgent(Priced),
            """
            "budget":{"type":"limit","max_list_cost":{"amount":"125","currency":"USD"}}
            """));
        budget.Model.Says("cheap");
        await budget.Run(TestSession.Says("hi"));

        var file = Add("file", await server.NewSession(Toolset,
            $$"""
            "resources":[{"type":"file","file_id":"{{await server.NewFile()}}"}]
            """));
        await file.Shell("echo made > /mnt/session/outputs/made.txt");
        (await server.Get($"/v1/files?scope_id={file.Id}")).Ok();

        var terminated = Add("terminated", await server.NewSession());
        terminated.Model.Fails(ModelFaultKind.Rejected);
        await terminated.Run(TestSession.Says("hi"));
        (await server.Post($"{terminated.Path}/archive")).Ok();
    }

    private async Task MakeWaiting(TestServer server)
    {
        var asks = Add("asks", await server.NewSession(Asking));
        asks.Model.Calls("bash", """{"command":"echo allowed"}""");
        await asks.RunUntilItAsks(TestSession.Says("go"));

        var denied = Add("denied", await server.NewSession(Asking));
        denied.Model.Calls("bash", """{"command":"echo denied"}""").Says("then not");
        var call = (await denied.RunUntilItAsks(TestSession.Says("go"))).Single();
        await denied.Run(TestSession.Confirms(call, "deny", "no"));

        var custom = Add("custom", await server.NewSession(Weather));
        custom.Model.Calls("get_weather", "{}").Calls("get_weather", "{}", "call_2");
        var asked = (await custom.RunUntilItAsks(TestSession.Says("go"))).Single();
        await custom.Run(
            TestSession.AnswersCall(asked, "rain"),
            """{"type":"system.message","content":[{"type":"text","text":"be brief"}]}""");

        var hosted = Add("self_hosted", await server.NewSession(
            Toolset, $"\"environment_id\":\"{await server.NewEnvironment("self_hosted")}\""));
        hosted.Model.Calls("bash", """{"command":"ls"}""").Calls("bash", """{"command":"pwd"}""", "call_2");
        var first = (await hosted.RunUntilItAsks(TestSession.Says("go"))).Single();
        await hosted.Run(TestSession.AnswersTool(first, "a file"));
    }

    // Last, for the server must stop in their middle.
    private async Task MakeWorking(TestServer server)
    {
        var rescheduling = Add("rescheduling", await server.NewSession());
        rescheduling.Model.Fails(ModelFaultKind.Overloaded, TimeSpan.FromMinutes(5));
        await using (var stream = await rescheduling.Stream())
        {
            await rescheduling.Send(TestSession.Says("later"));
            await stream.Until("session.status_rescheduled");
        }

        var running = Add("running", await server.NewSession());
        running.Model.SaysAndHangs("half");
        await running.Send(TestSession.Says("go on after the restart"));
        await running.Model.Asked(Cancelled);
        await running.Send(TestSession.Says("this one waits"));
    }

    private TestSession Add(string state, TestSession session)
    {
        _made.Add(state, new { id = session.Id, model = session.ModelName });
        return session;
    }

    private void Save(string data, string target)
    {
        var database = Path.Combine(target, FixtureTests.Folder, "tenon.db");
        File.Delete(database);
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(data, "tenon.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
            command.ExecuteNonQuery();
        }

        File.Copy(Path.Combine(data, "tenon.db"), database);
        var files = Directory.CreateDirectory(Path.Combine(target, FixtureTests.Folder, "files")).FullName;
        foreach (var blob in Directory.EnumerateFiles(Path.Combine(data, "files")))
        {
            File.Copy(blob, Path.Combine(files, Path.GetFileName(blob)), overwrite: true);
        }

        File.WriteAllText(Path.Combine(target, "sessions.json"), JsonSerializer.Serialize(_made, Indented) + "\n");
    }
}
