using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Sessions in <c>self_hosted</c> environments, whose client runs the sandbox tools (api C.5, D.4).</summary>
public sealed class SelfHostedTests(TestServer server)
{
    private const string Toolset = """{"type":"agent_toolset_20260401"}""";

    private const string Asking =
        """{"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}}}""";

    private const string Weather =
        """{"type":"custom","name":"get_weather","description":"d","input_schema":{"type":"object"}}""";

    [Fact]
    public async Task The_client_answers_the_sandbox_tools_and_the_model_goes_on()
    {
        var session = await NewSession(server, Toolset);
        session.Model.Answers(Use("a", "bash"), Use("b", "read")).Says("done");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));
        await using var stream = await session.Stream();

        var echo = await session.Send(TestSession.AnswersTool(waiting[1], "second"));
        var partly = await stream.Until("session.status_idle");
        var rest = await session.Run(TestSession.AnswersTool(waiting[0], "first"));

        Assert.Equal(
            ["user.tool_result", "session.thread_status_idle", "session.usage", "session.status_idle"],
            partly.Select(@event => @event.Name));
        Assert.Equal(JsonValueKind.String, echo.At("0.processed_at").ValueKind);
        JsonAssert.Equal(echo.At("0").GetRawText(), partly[0].Json);
        JsonAssert.Equal(
            $$"""{"type":"requires_action","event_ids":["{{waiting[0]}}"]}""", partly[^1].Json.At("stop_reason"));
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.DoesNotContain(rest, @event => @event.Name == "agent.tool_result");
        Assert.Equal([("a", "first"), ("b", "second")], Read(session));
        Assert.DoesNotContain("/mnt/session", session.Model.Requests.Last().System!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_that_asks_is_confirmed_first_and_then_waits_for_its_result()
    {
        var session = await NewSession(server, Asking);
        session.Model.Answers(Use("a", "bash")).Says("done");
        var call = (await session.RunUntilItAsks(TestSession.Says("go"))).Single();

        (await session.Post(TestSession.AnswersTool(call, "early"))).Refused(
            400, $"events.0.tool_use_id: no call '{call}' waits for this answer: "
                + "it waits for a user.tool_confirmation.");
        (await session.Post(TestSession.Confirms(call, "allow"), TestSession.AnswersTool(call, "early"))).Refused(
            400, $"events.1.tool_use_id: no call '{call}' waits for this answer: "
                + "it waits for a user.tool_confirmation.");
        var allowed = await session.Run(TestSession.Confirms(call, "allow"));
        (await session.Post(TestSession.Confirms(call, "deny"))).Refused(
            400, $"events.0.tool_use_id: no call '{call}' waits for this answer: it waits for a user.tool_result.");
        var rest = await session.Run(TestSession.AnswersTool(call, "ran"));

        Assert.Equal("user.tool_confirmation", allowed[0].Name);
        JsonAssert.Equal(
            $$"""{"type":"requires_action","event_ids":["{{call}}"]}""", allowed[^1].Json.At("stop_reason"));
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.Equal([("a", "ran")], Read(session));
    }

    [Fact]
    public async Task A_denied_call_is_closed_by_the_server_and_takes_no_result()
    {
        var session = await NewSession(server, Asking);
        session.Model.Answers(Use("a", "bash"), Use("b", "bash")).Says("done");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        await session.Run(TestSession.Confirms(waiting[0], "deny", "no"), TestSession.Confirms(waiting[1], "allow"));
        (await session.Post(TestSession.AnswersTool(waiting[0], "x"))).Refused(400, "events.0.tool_use_id: no call");
        var rest = await session.Run(TestSession.AnswersTool(waiting[1], "ran"));

        var closed = rest.Single(@event => @event.Name == "agent.tool_result").Json;
        Assert.Equal(waiting[0], closed.Text("tool_use_id"));
        Assert.True(closed.At("is_error").GetBoolean());
        Assert.Equal([("a", "The user denied this call. They said: no"), ("b", "ran")], Read(session));
    }

    [Fact]
    public async Task A_result_is_taken_as_soon_as_the_call_is_out()
    {
        var session = await NewSession(server, Toolset);
        session.Model.Answers(Use("a", "bash")).Says("done");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        var call = (await stream.Until("agent.tool_use"))[^1].EventId;

        await session.Send(TestSession.AnswersTool(call, "at once"));
        await stream.Until("agent.message");
        await stream.Until("session.status_idle");

        Assert.Equal([("a", "at once")], Read(session));
    }

    [Fact]
    public async Task Results_of_unknown_answered_and_other_calls_are_refused()
    {
        var session = await NewSession(server, $"{Toolset},{Weather}");
        session.Model.Answers(Use("a", "bash"), Use("b", "get_weather")).Says("done");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));
        var before = await session.Types();

        (await session.Post(TestSession.AnswersTool("sevt_x", "x"))).Refused(
            400, "events.0.tool_use_id: no call 'sevt_x' waits for this answer: it is unknown");
        (await session.Post(TestSession.AnswersTool(waiting[1], "x"))).Refused(
            400, $"events.0.tool_use_id: no call '{waiting[1]}' waits for this answer: "
                + "it waits for a user.custom_tool_result.");
        (await session.Post(TestSession.AnswersCall(waiting[0], "x"))).Refused(
            400, $"events.0.custom_tool_use_id: no call '{waiting[0]}' waits for this answer: "
                + "it waits for a user.tool_result.");
        (await session.Post(TestSession.AnswersTool(waiting[0], "x"), TestSession.AnswersTool(waiting[0], "y")))
            .Refused(400, $"events.1.tool_use_id: no call '{waiting[0]}' waits for this answer: it is unknown");
        Assert.Equal(before, await session.Types());

        await session.Run(TestSession.AnswersTool(waiting[0], "x"));
        (await session.Post(TestSession.AnswersTool(waiting[0], "y"))).Refused(
            400, $"events.0.tool_use_id: no call '{waiting[0]}' waits for this answer: it is unknown, or already");
    }

    [Fact]
    public async Task An_interrupt_closes_the_calls_that_wait_and_the_next_message_starts_anew()
    {
        var session = await NewSession(server, Toolset);
        session.Model.Answers(Use("a", "bash")).Says("back");
        var call = (await session.RunUntilItAsks(TestSession.Says("go"))).Single();

        var stopped = await session.Run(TestSession.Interrupts);
        (await session.Post(TestSession.AnswersTool(call, "late"))).Refused(400, "events.0.tool_use_id: no call");
        var next = await session.Run(TestSession.Says("again"));

        var closed = stopped.Single(@event => @event.Name == "agent.tool_result").Json;
        Assert.Equal(
            "Tool execution was interrupted before completion. Please retry.", closed.Text("content.0.text"));
        Assert.Equal("end_turn", stopped[^1].Json.Text("stop_reason.type"));
        Assert.Equal("back", next.Single(@event => @event.Name == "agent.message").Json.Text("content.0.text"));
    }

    [Fact]
    public async Task A_kill_closes_the_calls_that_wait()
    {
        var session = await NewSession(server, Toolset);
        session.Model.Answers(Use("a", "bash"));
        var call = (await session.RunUntilItAsks(TestSession.Says("go"))).Single();
        await using var stream = await session.Stream();

        (await server.Post($"{session.Path}/kill")).Ok();
        var rest = await stream.Rest();

        Assert.Equal(
            ["agent.tool_result", "session.thread_status_terminated", "session.status_terminated"],
            rest.Select(@event => @event.Name));
        Assert.Equal(call, rest[0].Json.Text("tool_use_id"));
        (await session.Post(TestSession.AnswersTool(call, "late"))).Refused(409, "");
    }

    [Fact]
    public async Task A_system_message_behind_the_result_reaches_the_model_with_it()
    {
        var session = await NewSession(server, Toolset);
        session.Model.Answers(Use("a", "bash")).Says("done");
        var call = (await session.RunUntilItAsks(TestSession.Says("go"))).Single();

        await session.Run(
            TestSession.AnswersTool(call, "ran"),
            """{"type":"system.message","content":[{"type":"text","text":"be brief"}]}""");

        Assert.Equal(2, session.Model.Requests.Count);
        Assert.Equal(
            ["be brief"],
            session.Model.Requests.Last().Messages[^1].Content.OfType<ModelText>().Select(text => text.Text));
    }

    [Fact]
    public async Task Web_tools_are_not_for_the_client_to_run()
    {
        var session = await NewSession(server, Toolset);
        session.Model.Answers(Use("a", "web_search")).Says("done");

        var turn = await session.Run(TestSession.Says("go"));

        Assert.Contains(turn, @event => @event.Name == "agent.tool_result");
        Assert.Equal("end_turn", turn[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_result_goes_on_after_a_restart()
    {
        await using var own = await TestServer.Start();
        var session = await NewSession(own, Toolset);
        session.Model.Answers(Use("a", "bash")).Says("done");
        var call = (await session.RunUntilItAsks(TestSession.Says("go"))).Single();

        await own.Restart();
        var rest = await session.Run(TestSession.AnswersTool(call, "kept"));

        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.Equal([("a", "kept")], Read(session));
    }

    [Theory]
    [InlineData("""{"type":"file","file_id":"file_x"}""")]
    [InlineData("""{"type":"github_repository","url":"https://github.com/a/b"}""")]
    public async Task Files_and_repositories_cannot_be_mounted(string resource)
    {
        var agentId = await server.NewAgent();
        var environmentId = await server.NewEnvironment("self_hosted");

        (await server.Post("/v1/sessions",
            $$"""{"agent":"{{agentId}}","environment_id":"{{environmentId}}","resources":[{{resource}}]}""")).Refused(
            400, $"Environment {environmentId} is a self-hosted environment. `resources` are not supported with "
                + "self-hosted environments.");
    }

    private static async Task<TestSession> NewSession(TestServer server, string tools) => await server.NewSession(
        $"[{tools}]", $"\"environment_id\":\"{await server.NewEnvironment("self_hosted")}\"");

    private static ModelToolUse Use(string id, string tool) => new(id, tool, JsonElement.Parse("{}"));

    /// <summary>The results that the newest request has, by the model's own ids.</summary>
    private static IEnumerable<(string Id, string Text)> Read(TestSession session) =>
        session.Model.Requests.Last().Messages[^1].Content.OfType<ModelToolResult>()
            .Select(result => (result.ToolUseId, ((TextBlock)result.Content.Single()).Text));
}
