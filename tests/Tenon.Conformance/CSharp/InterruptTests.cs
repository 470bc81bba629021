using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

public sealed class InterruptTests(Lab lab)
{
    [Fact]
    public async Task An_interrupt_ends_a_hanging_answer_in_good_order()
    {
        var session = await lab.Session(lab.Model(Reply.Hang("Let me ", "think"), Reply.Text("Yes?")));
        await using var stream = await session.Open(BetaManagedAgentsDeltaType.AgentMessage);
        await session.Send(Events.Message("hi"));
        await stream.ReadTo("event_delta");

        await session.Send(Events.Interrupt());
        var rest = await stream.ReadTo("session.status_idle");

        var stored = rest.Where(@event => !@event.IsPreview()).Types();
        // An input that has to wait is streamed twice: when it is accepted, and when it takes effect.
        Assert.Equal(
        [
            "user.interrupt", "span.model_request_end", "user.interrupt", "session.thread_status_idle",
            "session.usage", "session.status_idle",
        ], stored);
        Assert.Equal("end_turn", rest[^1].StopReason());
        Assert.DoesNotContain("agent.message", (await session.History()).Types());
        Assert.Equal("idle", (await session.Get()).Status.Raw());
    }

    [Fact]
    public async Task After_an_interrupt_the_next_message_is_answered()
    {
        var session = await lab.Session(lab.Model(Reply.Hang("So"), Reply.Text("Hello again")));
        await using var stream = await session.Open(BetaManagedAgentsDeltaType.AgentMessage);
        await session.Send(Events.Message("hi"));
        await stream.ReadTo("event_delta");
        await session.Send(Events.Interrupt());
        await stream.ReadTo("session.status_idle");

        await session.Send(Events.Message("still there?"));
        var next = await stream.ReadTo("session.status_idle");

        Assert.Equal("Hello again", next.The("agent.message").Text());
    }

    [Fact]
    public async Task An_interrupt_with_a_message_redirects_the_agent_without_an_idle_between()
    {
        var model = lab.Model(Reply.Hang("The long way"), Reply.Text("The short way"));
        var session = await lab.Session(model);
        await using var stream = await session.Open(BetaManagedAgentsDeltaType.AgentMessage);
        await session.Send(Events.Message("take the long way"));
        await stream.ReadTo("event_delta");

        await session.Send(Events.Interrupt(), Events.Message("take the short way"));
        var rest = await stream.ReadTo("session.status_idle");

        Assert.Equal("The short way", rest.The("agent.message").Text());
        Assert.Single(await session.History(), @event => @event.Type() == "session.status_idle");
        var said = model.Requests[1].GetProperty("messages").ToString();
        Assert.Contains("take the short way", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_stops_a_running_command()
    {
        var session = await lab.Session(
            lab.Model(Reply.ToolUse("bash", new { command = "sleep 600" }), Reply.Text("never")),
            new BetaManagedAgentsAgentToolset20260401Params());
        await using var stream = await session.Open();
        await session.Send(Events.Message("go"));
        await stream.ReadTo("span.model_request_end");

        await session.Send(Events.Interrupt());
        var rest = await stream.ReadTo("session.status_idle");

        Assert.True(rest.The("agent.tool_result").GetProperty("is_error").GetBoolean());
        Assert.Equal("end_turn", rest[^1].StopReason());
    }

    [Fact]
    public async Task An_interrupt_closes_a_call_that_waits_to_be_allowed_without_asking_the_model()
    {
        var model = lab.Model(Reply.ToolUse("bash", new { command = "echo never" }), Reply.Text("fine"));
        var session = await lab.Session(model, new BetaManagedAgentsAgentToolset20260401Params
        {
            DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
            {
                PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
            },
        });
        await using var stream = await session.Open();
        await session.Send(Events.Message("go"));
        var asked = await stream.ReadTo("session.status_idle");

        await session.Send(Events.Interrupt());
        var closed = await stream.ReadTo("session.status_idle");

        var result = closed.The("agent.tool_result");
        Assert.Equal(asked.The("agent.tool_use").Id(), result.GetProperty("tool_use_id").GetString());
        Assert.True(result.GetProperty("is_error").GetBoolean());
        Assert.Equal("end_turn", closed[^1].StopReason());
        Assert.Single(model.Requests);
        await session.Send(Events.Message("never mind"));
        Assert.Equal("fine", (await stream.ReadTo("session.status_idle")).The("agent.message").Text());
    }

    [Fact]
    public async Task An_interrupt_of_an_idle_session_changes_nothing_that_a_turn_would_notice()
    {
        var model = lab.Model(Reply.Text("fine"));
        var session = await lab.Session(model);

        await session.Send(Events.Interrupt());
        var turn = await session.Turn(Events.Message("hi"));

        Assert.Equal("fine", turn.The("agent.message").Text());
        Assert.Single(model.Requests);
    }
}
