using System.Text.Json;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

public sealed class ToolTests(Lab lab)
{
    [Fact]
    public async Task A_custom_tool_is_answered_by_the_client_and_the_agent_goes_on()
    {
        var model = lab.Model(AskFor("Oslo"), Reply.Text("It is 14 degrees."));
        var session = await lab.Session(model, Weather());

        var asked = await session.Turn(Events.Message("How warm is Oslo?"));
        var use = asked.The("agent.custom_tool_use");
        var answered = await session.Turn(Events.ToolResult(use.Id()!, "14"));

        Assert.Equal("requires_action", asked[^1].StopReason());
        Assert.Equal([use.Id()!], WaitsFor(asked[^1]));
        Assert.Equal("Oslo", use.GetProperty("input").GetProperty("city").GetString());
        Assert.Equal("user.custom_tool_result", answered[0].Type());
        Assert.Equal("It is 14 degrees.", answered.The("agent.message").Text());
        Assert.Equal("end_turn", answered[^1].StopReason());
        var result = model.Requests[1].GetProperty("messages")[2].GetProperty("content")[0];
        Assert.Equal("tool_result", result.Type());
        Assert.Equal("14", result.Text());
    }

    [Fact]
    public async Task Of_two_custom_calls_the_one_not_yet_answered_keeps_the_session_waiting()
    {
        var session = await lab.Session(lab.Model(
            AskFor("Oslo").Then(AskFor("Rome")), Reply.Text("both")), Weather());

        var asked = await session.Turn(Events.Message("How warm are they?"));
        var ids = WaitsFor(asked[^1]);
        var half = await session.Turn(Events.ToolResult(ids[1], "25"));
        var whole = await session.Turn(Events.ToolResult(ids[0], "14"));

        Assert.Equal(2, ids.Count);
        Assert.Equal([ids[0]], WaitsFor(half[^1]));
        Assert.Equal("both", whole.The("agent.message").Text());
    }

    [Fact]
    public async Task A_call_is_answered_once()
    {
        var session = await lab.Session(lab.Model(
            AskFor("Oslo"), Reply.Text("done")), Weather());
        var asked = await session.Turn(Events.Message("How warm is Oslo?"));
        var id = asked.The("agent.custom_tool_use").Id()!;
        await session.Turn(Events.ToolResult(id, "14"));

        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => session.Send(Events.ToolResult(id, "15")));
    }

    [Fact]
    public async Task A_command_runs_without_asking_when_the_policy_allows_it()
    {
        var session = await lab.Session(
            lab.Model(Bash("echo from the sandbox"), Reply.Text("done")),
            new BetaManagedAgentsAgentToolset20260401Params());

        var turn = await session.Turn(Events.Message("go"));

        var use = turn.The("agent.tool_use");
        var result = turn.The("agent.tool_result");
        Assert.Equal("allow", use.GetProperty("evaluated_permission").GetString());
        Assert.Equal(use.Id(), result.GetProperty("tool_use_id").GetString());
        Assert.Contains("from the sandbox", result.Text(), StringComparison.Ordinal);
        Assert.Equal("end_turn", turn[^1].StopReason());
    }

    [Fact]
    public async Task A_call_that_must_be_asked_for_runs_after_it_is_allowed_and_not_before()
    {
        var model = lab.Model(Bash("echo allowed"), Reply.Text("done"));
        var session = await lab.Session(model, AlwaysAsk());

        var asked = await session.Turn(Events.Message("go"));
        var use = asked.The("agent.tool_use");
        var allowed = await session.Turn(Events.Allow(use.Id()!));

        Assert.Equal("ask", use.GetProperty("evaluated_permission").GetString());
        Assert.Equal([use.Id()!], WaitsFor(asked[^1]));
        Assert.DoesNotContain("agent.tool_result", asked.Types());
        Assert.Equal("user.tool_confirmation", allowed[0].Type());
        Assert.Contains("allowed", allowed.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.Equal("done", allowed.The("agent.message").Text());
    }

    [Fact]
    public async Task A_message_sent_while_a_call_waits_is_read_after_the_call_is_answered()
    {
        var model = lab.Model(AskFor("Oslo"), Reply.Text("14"), Reply.Text("and dry"));
        var session = await lab.Session(model, Weather());
        var asked = await session.Turn(Events.Message("How warm is Oslo?"));

        await session.Send(Events.Message("Is it dry?"));
        Assert.Single(model.Requests);
        await session.Turn(Events.ToolResult(asked.The("agent.custom_tool_use").Id()!, "14"));

        Assert.Equal("idle", (await session.Get()).Status.Raw());
        var history = await session.History();
        Assert.All(
            history.FindAll(@event => @event.Type() == "user.message"),
            message => Assert.Equal(JsonValueKind.String, message.GetProperty("processed_at").ValueKind));
        Assert.Contains("Is it dry?", model.Requests[^1].GetProperty("messages").ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_denied_call_does_not_run_and_the_model_reads_why()
    {
        var model = lab.Model(Bash("echo it ran"), Reply.Text("understood"));
        var session = await lab.Session(model, AlwaysAsk());
        var asked = await session.Turn(Events.Message("go"));

        var denied = await session.Turn(Events.Deny(asked.The("agent.tool_use").Id()!, "not on a Friday"));

        var result = denied.The("agent.tool_result");
        Assert.True(result.GetProperty("is_error").GetBoolean());
        Assert.Contains("not on a Friday", result.Text(), StringComparison.Ordinal);
        Assert.DoesNotContain("it ran", result.Text(), StringComparison.Ordinal);
        var read = model.Requests[1].GetProperty("messages")[2].ToString();
        Assert.Contains("not on a Friday", read, StringComparison.Ordinal);
        Assert.Equal("understood", denied.The("agent.message").Text());
    }

    private static Reply AskFor(string city) => Reply.ToolUse("get_weather", new { city });

    private static Reply Bash(string command) => Reply.ToolUse("bash", new { command });

    private static List<string> WaitsFor(JsonElement idle) =>
        [.. idle.GetProperty("stop_reason").GetProperty("event_ids").EnumerateArray().Select(id => id.GetString()!)];

    private static AgentTool AlwaysAsk() => new BetaManagedAgentsAgentToolset20260401Params
    {
        DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
        {
            PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
        },
    };

    private static AgentTool Weather() => new BetaManagedAgentsCustomToolParams
    {
        Name = "get_weather",
        Description = "The temperature of a city in degrees Celsius.",
        InputSchema = new BetaManagedAgentsCustomToolInputSchema
        {
            Properties = new Dictionary<string, JsonElement>
            {
                ["city"] = JsonSerializer.SerializeToElement(new { type = "string" }),
            },
            Required = ["city"],
        },
    };
}
