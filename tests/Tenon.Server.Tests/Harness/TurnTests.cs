using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

public sealed class TurnTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_text_turn_has_the_documented_order()
    {
        await using var world = new TurnWorld();
        world.Model.Says("hello");
        await world.Send("hi");

        await world.Run(Token);

        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running",
                "span.model_request_start", "agent.message", "span.model_request_end",
                "session.thread_status_idle", "session.usage", "session.status_idle",
            ],
            world.Types);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Equal([ContentBlock.Of("hello")], world.Events<AgentMessage>().Single().Content);
    }

    [Fact]
    public async Task A_tool_turn_runs_the_call_in_the_sandbox_and_gives_its_result_to_the_model()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo from the sandbox"}""").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running",
                "span.model_request_start", "agent.tool_use", "span.model_request_end", "agent.tool_result",
                "span.model_request_start", "agent.message", "span.model_request_end",
                "session.thread_status_idle", "session.usage", "session.status_idle",
            ],
            world.Types);
        var result = Assert.IsType<ModelToolResult>(world.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.Equal(("call_1", false), (result.ToolUseId, result.IsError));
        Assert.Equal([ContentBlock.Of("from the sandbox")], result.Content);
    }

    [Fact]
    public async Task Results_go_to_the_model_in_call_order_whatever_order_they_came_in()
    {
        await using var world = new TurnWorld();
        world.Model.Answers(
            new ModelToolUse("a", "bash", JsonElement.Parse("""{"command":"echo a > a.txt; echo b > b.txt"}""")),
            new ModelToolUse("b", "read", JsonElement.Parse("""{"file_path":"a.txt"}""")),
            new ModelToolUse("c", "read", JsonElement.Parse("""{"file_path":"b.txt"}"""))).Says("done");
        await world.Send("go");

        await world.Run(Token);

        var results = world.Model.Requests.Last().Messages[^1].Content.Cast<ModelToolResult>().ToList();
        Assert.Equal(["a", "b", "c"], results.ConvertAll(result => result.ToolUseId));
        Assert.All(results, result => Assert.False(result.IsError));
    }

    [Fact]
    public async Task Usage_adds_up_and_stands_before_the_idle_event()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"true"}""").Says("done");
        await world.Send("go");

        await world.Run(Token);

        var usage = world.Events<SessionUsageEvent>().Single().Usage;
        Assert.Equal((20, 4), (usage.InputTokens, usage.OutputTokens));
    }

    [Fact]
    public async Task An_agent_that_calls_tools_without_end_is_stopped_at_the_limit()
    {
        await using var world = new TurnWorld { Limits = new Limits { ToolRoundsMax = 2 } };
        world.Model.Calls("glob", """{"pattern":"*"}""").Calls("glob", """{"pattern":"*"}""").Says("never asked");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal(2, world.Model.Requests.Count);
        Assert.Equal(
            ("tool_use_limit_reached_error", "exhausted"),
            world.Events<SessionError>().Select(e => (e.Error.Type, e.Error.RetryStatus.Type)).Single());
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_tool_that_the_agent_does_not_have_is_refused_and_the_turn_goes_on()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("no_such_tool", "{}").Says("sorry");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("deny", world.Events<AgentToolUse>().Single().EvaluatedPermission);
        Assert.True(world.Events<AgentToolResult>().Single().IsError);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_refusal_ends_the_turn_with_its_details_and_is_not_repeated_to_the_model()
    {
        await using var world = new TurnWorld();
        world.Model
            .Answers(new ModelResponse
            {
                Stop = ModelStop.Refusal,
                Content = [new ModelText("I cannot")],
                Refusal = new ModelRefusal("cyber", "no"),
            })
            .Says("fine");
        await world.Send("bad");
        await world.Run(Token);
        await world.Send("good");
        await world.Run(Token);

        var idle = world.Events<SessionStatusIdle>()[0];
        Assert.Equal("refusal", idle.StopReason.Type);
        Assert.Equal(("cyber", "no"), (idle.StopDetails!.Category, idle.StopDetails.Explanation));
        Assert.Equal(
            [new ModelText("bad"), new ModelText("good")],
            world.Model.Requests.Last().Messages.Single().Content);
    }

    [Fact]
    public async Task Thinking_is_shown_without_its_text_and_sent_back_with_its_signature()
    {
        await using var world = new TurnWorld();
        var thought = new ModelThinking("secret thought", "signature");
        world.Model.Answers(thought, new ModelText("hello")).Says("again");
        await world.Send("hi");
        await world.Run(Token);
        await world.Send("more");
        await world.Run(Token);

        Assert.Single(world.Events<AgentThinking>());
        Assert.DoesNotContain(
            world.Entries.Where(entry => !entry.Internal), entry => entry.Body.Contains("secret thought"));
        Assert.Contains(thought, world.Model.Requests.Last().Messages[1].Content);
    }

    [Fact]
    public async Task Every_request_begins_with_the_whole_of_the_one_before()
    {
        await using var world = new TurnWorld();
        for (var i = 0; i < 5; i++)
        {
            world.Model.Calls("bash", $$"""{"command":"echo {{i}}"}""", $"call_{i}");
        }

        world.Model.Says("done").Says("and done");
        await world.Send("first");
        await world.Run(Token);
        await world.Send("second");
        await world.Run(Token);

        var requests = world.Model.Requests.ToList();
        Assert.Equal(7, requests.Count);
        foreach (var (earlier, later) in requests.Zip(requests.Skip(1)))
        {
            Assert.Equal(earlier.System, later.System);
            Assert.Equal(JsonSerializer.Serialize(earlier.Tools), JsonSerializer.Serialize(later.Tools));
            Assert.Equal(Serialize(earlier.Messages), Serialize(later.Messages.Take(earlier.Messages.Count)));
        }
    }

    private static string Serialize(IEnumerable<ModelMessage> messages) => JsonSerializer.Serialize(messages);
}
