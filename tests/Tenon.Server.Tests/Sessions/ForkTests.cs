using System.Text.Json;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>A session made of another one's history and files (docs/concepts/fork.md).</summary>
public sealed class ForkTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    [Fact]
    public async Task A_fork_has_the_history_and_the_files_and_goes_on_by_itself()
    {
        var session = await server.NewSession(Tools, "\"title\":\"first\",\"metadata\":{\"k\":\"v\"}");
        await session.Shell("echo one > file; mkdir -p ~/d; echo home > ~/d/f; echo out > /outputs/o");

        var fork = await Fork(session);

        Assert.NotEqual(session.Id, fork.Id);
        Assert.Equal(("first", "v", "idle"),
            (fork.Created.Text("title"), fork.Created.Text("metadata.k"), fork.Created.Text("status")));
        Assert.Equal(await Ids(session), await Ids(fork));
        Assert.Equal("one\nhome\nout", await fork.Shell("cat file ~/d/f /outputs/o"));
    }

    [Fact]
    public async Task What_one_writes_or_says_the_other_does_not_see()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > file");
        var fork = await Fork(session);
        var before = await Ids(session);

        await fork.Shell("echo fork > file; echo x > new");
        Assert.Equal(before, await Ids(session));
        Assert.Equal("one", await session.Shell("cat file; test ! -e new"));
        await session.Shell("echo session > file");

        Assert.Equal("fork", await fork.Shell("cat file"));
        Assert.Empty((await Ids(fork)).Except(before).Intersect((await Ids(session)).Except(before)));
    }

    [Fact]
    public async Task From_an_earlier_event_a_fork_has_the_files_as_they_were_then()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > file");
        var first = (await Ids(session))[^1];
        await session.Shell("echo two > file");
        await session.Shell("echo three > file");

        var fork = await Fork(session, $$"""{"event_id":"{{first}}"}""");

        Assert.Equal(first, (await Ids(fork))[^1]);
        Assert.Equal("one", await fork.Shell("cat file"));
    }

    [Fact]
    public async Task From_before_the_first_call_a_fork_has_an_empty_workspace_and_the_model_is_told_only_what_is_so()
    {
        var session = await server.NewSession(Tools);
        session.Model.Says("hello");
        await session.Run(TestSession.Says("hi"));
        var hello = (await session.List("?types[]=agent.message"))[0].Text("id");
        await session.Shell("echo one > file");

        var fork = await Fork(session, $$"""{"event_id":"{{hello}}"}""");

        Assert.Equal("(no output)", await fork.Shell("ls"));
        Assert.Equal("idle", (await fork.Get()).Text("status"));
    }

    [Fact]
    public async Task Within_an_answer_with_calls_the_cut_is_before_that_answer()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > file");
        var call = (await session.List("?types[]=agent.tool_use"))[0].Text("id");

        var fork = await Fork(session, $$"""{"event_id":"{{call}}"}""");

        Assert.DoesNotContain(call, await Ids(fork));
        Assert.Equal("session.status_idle", (await fork.Types())[^1]);
        Assert.Equal("(no output)", await fork.Shell("ls"));
    }

    [Fact]
    public async Task A_session_that_runs_or_waits_is_forked_where_it_last_had_nothing_open()
    {
        var session = await server.NewSession(
            """[{"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}}}]""");
        session.Model.Calls("bash", """{"command":"echo one > file"}""");
        var calls = await session.RunUntilItAsks(TestSession.Says("go"));

        var fork = await Fork(session);

        Assert.DoesNotContain(calls[0], await Ids(fork));
        fork.Model.Says("fine");
        await fork.Run(TestSession.Says("never mind"));
        Assert.Equal("requires_action",
            (await session.List("?types[]=session.status_idle")).EnumerateArray().Last().Text("stop_reason.type"));
    }

    [Fact]
    public async Task An_archived_session_can_be_forked_and_a_deleted_one_cannot()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > file");
        (await server.Post($"{session.Path}/archive")).Ok();

        var fork = await Fork(session);
        Assert.Equal("one", await fork.Shell("cat file"));

        (await server.Delete(session.Path)).Ok();
        Assert.Equal(404, (await server.Post($"{session.Path}/fork", "{}")).Status);
        Assert.Equal("one", await fork.Shell("cat file"));
    }

    [Fact]
    public async Task A_fork_may_have_another_model_prompt_title_and_metadata()
    {
        var session = await server.NewSession(Tools);
        session.Model.Says("hello");
        await session.Run(TestSession.Says("hi"));
        var model = $"{session.ModelName}-forked";

        var fork = await Fork(session, JsonSerializer.Serialize(new
        {
            model, system = "You are another.", title = "second",
            metadata = new Dictionary<string, string> { ["a"] = "b" },
        }));

        Assert.Equal((model, "You are another.", "second", "b"), (fork.Created.Text("agent.model.id"),
            fork.Created.Text("agent.system"), fork.Created.Text("title"), fork.Created.Text("metadata.a")));
        var other = server.Models.Of(model);
        other.Says("as another");
        await fork.Run(TestSession.Says("who are you?"));
        Assert.Contains("You are another.", other.Requests.Last().System, StringComparison.Ordinal);
        Assert.Equal(3, other.Requests.Last().Messages.Count);
    }

    [Fact]
    public async Task What_the_history_cost_is_not_billed_twice()
    {
        var session = await server.NewSession(Tools);
        session.Model.Says("hello");
        await session.Run(TestSession.Says("hi"));
        var used = (await session.Get()).At("usage").GetProperty("output_tokens").GetInt64();
        Assert.NotEqual(0, used);

        var fork = await Fork(session);

        Assert.Equal(0, fork.Created.At("usage").GetProperty("output_tokens").GetInt64());
        Assert.Equal(0, fork.Created.At("usage").GetProperty("active_seconds").GetDecimal());
    }

    [Fact]
    public async Task Files_that_were_given_to_a_session_are_in_its_fork()
    {
        var file = await server.NewFile("a,b");
        var session = await server.NewSession(
            Tools, $$"""
            "resources":[{"type":"file","file_id":"{{file}}","mount_path":"data.csv"}]
            """);
        await session.Shell("true");

        var fork = await Fork(session);

        Assert.NotEqual(
            session.Created.Text("resources.0.file_id"), fork.Created.Text("resources.0.file_id"));
        Assert.Equal("a,b", await fork.Shell("cat /uploads/data.csv"));
    }

    [Fact]
    public async Task A_fork_of_a_fork_has_its_files_too()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > file");
        var fork = await Fork(session);

        var again = await Fork(fork);

        Assert.Equal("one", await again.Shell("cat file; stat -c %U file | grep -v agent || true"));
    }

    [Fact]
    public async Task The_shells_state_goes_with_the_fork_and_the_model_is_told_once()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("mkdir d; cd d; export COLOUR=blue; f() { echo from f; }");
        var fork = await Fork(session);

        Assert.Equal("/workspace/d blue from f", await fork.Shell("echo $PWD $COLOUR $(f)"));

        var results = await fork.List("?types[]=agent.tool_result");
        Assert.Contains("were restored", results[1].Text("content.1.text"), StringComparison.Ordinal);
        await fork.Shell("true");
        Assert.Equal(1, (await fork.List("?types[]=agent.tool_result"))[2].At("content").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"event_id":"sevt_unknown"}""", "event_id")]
    [InlineData("""{"model":null}""", "model")]
    [InlineData("""{"model":""}""", "model")]
    [InlineData("""{"model":{"id":"m","effort":"wild"}}""", "model.effort")]
    [InlineData("""{"title":5}""", "title")]
    [InlineData("""{"metadata":5}""", "metadata")]
    [InlineData("""nothing""", "")]
    public async Task A_fork_that_cannot_be_is_refused_with_the_field(string body, string field)
    {
        var session = await server.NewSession();

        var refused = await server.Post($"{session.Path}/fork", body);

        refused.Refused(400, field);
    }

    [Fact]
    public async Task An_event_of_another_session_is_no_event_of_this_one()
    {
        var (session, other) = (await server.NewSession(), await server.NewSession());
        other.Model.Says("hello");
        await other.Run(TestSession.Says("hi"));
        var id = (await other.List())[0].Text("id");

        var refused = await server.Post($"{session.Path}/fork", $$"""{"event_id":"{{id}}"}""");

        refused.Refused(400, "event_id");
    }

    [Fact]
    public async Task A_fork_of_a_self_hosted_session_has_its_log_alone()
    {
        var environment = await server.NewEnvironment("self_hosted");
        var model = $"scripted-self-{Guid.NewGuid():N}";
        var agent = await server.NewAgent(model, $"\"tools\":{Tools}");
        var created = (await server.Post(
            "/v1/sessions", $$"""{"agent":"{{agent}}","environment_id":"{{environment}}"}""")).Ok();
        var session = new TestSession(server, created, server.Models.Of(model));
        session.Model.Says("hello");
        await session.Run(TestSession.Says("hi"));

        var fork = await Fork(session);

        Assert.Equal(await Ids(session), await Ids(fork));
    }

    [Fact]
    public async Task A_stream_of_a_fork_begins_with_what_happens_in_the_fork()
    {
        var session = await server.NewSession();
        session.Model.Says("hello");
        await session.Run(TestSession.Says("hi"));
        var fork = await Fork(session);
        var copied = await Ids(fork);

        fork.Model.Says("again");
        var seen = await fork.Run(TestSession.Says("more"));

        Assert.Empty(seen.Select(@event => @event.Json.Text("id")).Intersect(copied));
    }

    private async Task<TestSession> Fork(TestSession session, string body = "{}")
    {
        var created = (await server.Post($"{session.Path}/fork", body)).Ok();
        return new TestSession(server, created, session.Model);
    }

    private static async Task<IReadOnlyList<string>> Ids(TestSession session) =>
        [.. (await session.List()).Texts("id")];
}
