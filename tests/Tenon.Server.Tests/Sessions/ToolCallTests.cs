using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Calls that wait for the client: confirmations and custom tools (api C.5, L.5, L.6).</summary>
public abstract class ToolCallTests(TestServer server)
{
    private const string Asking =
        """[{"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}}}]""";

    private const string Weather =
        """[{"type":"custom","name":"get_weather","description":"d","input_schema":{"type":"object"}}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_asks_waits_and_runs_once_it_is_allowed()
    {
        var session = await server.NewSession(Asking);
        session.Model.Calls("bash", """{"command":"echo allowed"}""").Says("done");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));
        var use = (await session.List("?types=agent.tool_use")).EnumerateArray().Single();

        var rest = await session.Run(TestSession.Confirms(waiting.Single(), "allow"));

        JsonAssert.Equal($$"""
            {"type":"agent.tool_use","id":"{{waiting.Single()}}","processed_at":"{{use.Text("processed_at")}}",
             "name":"bash","input":{"command":"echo allowed"},"evaluated_permission":"ask",
             "evaluation":{"type":"always_ask"} }
            """, use);
        Assert.Equal(
            ["user.tool_confirmation", "session.status_running", "session.thread_status_running", "agent.tool_result"],
            rest.Take(4).Select(@event => @event.Name));
        Assert.Equal(waiting.Single(), rest[3].Json.Text("tool_use_id"));
        Assert.Contains("allowed", rest[3].Json.Text("content.0.text"), StringComparison.Ordinal);
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_denied_call_does_not_run_and_the_model_reads_why()
    {
        var session = await server.NewSession(Asking);
        session.Model.Calls("bash", """{"command":"rm x"}""").Says("understood");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        var rest = await session.Run(TestSession.Confirms(waiting.Single(), "deny", "not that file"));

        var result = rest.Single(@event => @event.Name == "agent.tool_result").Json;
        Assert.True(result.At("is_error").GetBoolean());
        Assert.Equal("The user denied this call. They said: not that file", result.Text("content.0.text"));
        var read = Assert.IsType<ModelToolResult>(session.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.True(read.IsError);
        Assert.Equal("call_1", read.ToolUseId);
        Assert.Equal("The user denied this call. They said: not that file", ((TextBlock)read.Content.Single()).Text);
    }

    [Fact]
    public async Task Answering_some_of_the_calls_waits_for_the_rest()
    {
        var session = await server.NewSession(Asking);
        session.Model.Answers(
            new ModelToolUse("call_1", "bash", JsonElement.Parse("""{"command":"a"}""")),
            new ModelToolUse("call_2", "bash", JsonElement.Parse("""{"command":"b"}"""))).Says("done");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        var partly = await session.Run(TestSession.Confirms(waiting[1], "deny"));
        (await session.Post(TestSession.Confirms(waiting[1], "allow"))).Refused(
            400,
            $"events.0.tool_use_id: no call '{waiting[1]}' waits for this answer: "
                + "it is unknown, or already answered.");
        var rest = await session.Run(TestSession.Confirms(waiting[0], "deny"));

        Assert.Equal(2, waiting.Count);
        Assert.Equal(
            ["user.tool_confirmation", "session.thread_status_idle", "session.usage", "session.status_idle"],
            partly.Select(@event => @event.Name));
        JsonAssert.Equal(
            $$"""{"type":"requires_action","event_ids":["{{waiting[0]}}"]}""", partly[^1].Json.At("stop_reason"));
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.Equal(
            ["call_1", "call_2"],
            session.Model.Requests.Last().Messages[^1].Content.Cast<ModelToolResult>()
                .Select(result => result.ToolUseId));
    }

    [Fact]
    public async Task One_call_is_not_answered_twice_in_one_batch()
    {
        var session = await server.NewSession(Asking);
        session.Model.Calls("bash", """{"command":"a"}""");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));
        var before = await session.Types();

        (await session.Post(TestSession.Confirms(waiting[0], "deny"), TestSession.Confirms(waiting[0], "allow")))
            .Refused(
            400, $"events.1.tool_use_id: no call '{waiting[0]}' waits for this answer");
        (await session.Post(TestSession.AnswersCall(waiting[0], "x"))).Refused(
            400, $"events.0.custom_tool_use_id: no call '{waiting[0]}' waits for this answer");

        Assert.Equal(before, await session.Types());
    }

    [Fact]
    public async Task The_client_answers_a_custom_tool_and_the_model_goes_on()
    {
        var session = await server.NewSession(Weather);
        session.Model.Calls("get_weather", """{"city":"Oslo"}""").Says("14 degrees");
        var waiting = await session.RunUntilItAsks(TestSession.Says("weather?"));
        var use = (await session.List("?types=agent.custom_tool_use")).EnumerateArray().Single();

        await using var stream = await session.Stream();
        var echo = await session.Send(TestSession.AnswersCall(waiting.Single(), "14"));
        var rest = await stream.Until("session.status_idle");

        JsonAssert.Equal($$"""
            {"type":"agent.custom_tool_use","id":"{{waiting.Single()}}","processed_at":"{{use.Text("processed_at")}}",
             "name":"get_weather","input":{"city":"Oslo"} }
            """, use);
        Assert.Equal(JsonValueKind.String, echo.At("0.processed_at").ValueKind);
        JsonAssert.Equal(echo.At("0").GetRawText(), rest[0].Json);
        Assert.Equal("session.status_running", rest[1].Name);
        var read = Assert.IsType<ModelToolResult>(session.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.Equal(("call_1", false, "14"), (read.ToolUseId, read.IsError, ((TextBlock)read.Content.Single()).Text));
        (await session.Post(TestSession.AnswersCall(waiting.Single(), "15"))).Refused(
            400, $"events.0.custom_tool_use_id: no call '{waiting.Single()}' waits for this answer");
    }

    [Fact]
    public async Task A_system_message_while_calls_wait_may_only_follow_a_result()
    {
        const string System = """{"type":"system.message","content":[{"type":"text","text":"be brief"}]}""";
        var session = await server.NewSession(Weather);
        session.Model.Calls("get_weather", "{}").Says("done");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        (await session.Post(TestSession.Says("a"), System)).Refused(
            400, "events.1: while calls wait, a system.message may only follow a tool result.");
        await session.Run(TestSession.AnswersCall(waiting.Single(), "14"), System);

        Assert.Equal(
            ["be brief"],
            session.Model.Requests.Last().Messages[^1].Content.OfType<ModelText>().Select(text => text.Text));
    }

    [Fact]
    public async Task A_message_sent_while_calls_wait_is_answered_after_them()
    {
        var session = await server.NewSession(Weather);
        session.Model.Calls("get_weather", "{}").Says("14").Says("and the message");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        var echo = await session.Send(TestSession.Says("by the way"));
        var rest = await session.Run(TestSession.AnswersCall(waiting.Single(), "14"));

        JsonAssert.Equal("null", echo.At("0.processed_at"));
        Assert.Equal(
            ["user.custom_tool_result", "agent.message", "user.message", "agent.message"],
            rest.Select(@event => @event.Name)
                .Where(name => name is "agent.message" || name.StartsWith("user.", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_interrupt_closes_the_calls_that_wait_without_asking_the_model()
    {
        var session = await server.NewSession(Asking);
        session.Model.Calls("bash", """{"command":"a"}""");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        var rest = await session.Run(TestSession.Interrupts);

        var result = rest.Single(@event => @event.Name == "agent.tool_result").Json;
        Assert.Equal(waiting.Single(), result.Text("tool_use_id"));
        Assert.True(result.At("is_error").GetBoolean());
        Assert.Equal(
            "Tool execution was interrupted before completion. Please retry.", result.Text("content.0.text"));
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.Single(session.Model.Requests);
        (await session.Post(TestSession.Confirms(waiting.Single(), "allow")))
            .Refused(400, "events.0.tool_use_id: no call");
    }

    [Fact]
    public async Task A_disabled_tool_is_refused_before_any_policy()
    {
        var session = await server.NewSession(
            """[{"type":"agent_toolset_20260401","configs":[{"name":"bash","enabled":false}]}]""");
        session.Model.Calls("bash", """{"command":"a"}""").Says("done");

        var turn = await session.Run(TestSession.Says("go"));

        var use = turn.Single(@event => @event.Name == "agent.tool_use").Json;
        Assert.Equal("deny", use.Text("evaluated_permission"));
        Assert.False(use.Has("evaluation"));
        Assert.True(turn.Single(@event => @event.Name == "agent.tool_result").Json.At("is_error").GetBoolean());
        Assert.DoesNotContain((await session.Model.Asked(Cancelled)).Tools, tool => tool.Name == "bash");
    }
}
