using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

public sealed class TurnFaultTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_passing_fault_is_told_waited_out_and_tried_again()
    {
        await using var world = new TurnWorld();
        world.Model.Fails(ModelFaultKind.RateLimited, TimeSpan.FromSeconds(7)).Says("hello");
        await world.Send("hi");

        var run = world.Run(Token);
        await world.Pass(run);

        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running",
                "span.model_request_start", "span.model_request_end", "session.error",
                "session.status_rescheduled", "session.thread_status_rescheduled",
                "session.status_running", "session.thread_status_running",
                "span.model_request_start", "agent.message", "span.model_request_end",
                "session.thread_status_idle", "session.usage", "session.status_idle",
            ],
            world.Types);
        Assert.Equal(
            ("model_rate_limited_error", "retrying"),
            world.Events<SessionError>().Select(e => (e.Error.Type, e.Error.RetryStatus.Type)).Single());
        var waited = world.Events<SessionStatusRunning>()[1].ProcessedAt
            - world.Events<SessionStatusRescheduled>()[0].ProcessedAt;
        Assert.True(waited >= TimeSpan.FromSeconds(7), $"It waited {waited}.");
    }

    [Theory]
    [InlineData(ModelFaultKind.Overloaded, "model_overloaded_error")]
    [InlineData(ModelFaultKind.RateLimited, "model_rate_limited_error")]
    [InlineData(ModelFaultKind.Unavailable, "model_request_failed_error")]
    public async Task A_fault_that_may_pass_has_its_own_error_type(ModelFaultKind kind, string errorType)
    {
        await using var world = new TurnWorld();
        world.Model.Fails(kind).Says("hello");
        await world.Send("hi");

        await world.Pass(world.Run(Token));

        Assert.Equal(
            (errorType, "retrying"),
            world.Events<SessionError>().Select(e => (e.Error.Type, e.Error.RetryStatus.Type)).Single());
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_fault_that_does_not_pass_exhausts_the_tries_and_a_new_message_starts_anew()
    {
        await using var world = new TurnWorld { Limits = new Limits { ModelAttemptsMax = 1 } };
        world.Model.Fails(ModelFaultKind.Overloaded).Says("back again");
        await world.Send("hi");
        await world.Run(Token);

        Assert.Equal(
            ("model_overloaded_error", "exhausted"),
            world.Events<SessionError>().Select(e => (e.Error.Type, e.Error.RetryStatus.Type)).Single());
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);

        await world.Send("still there?");
        await world.Run(Token);

        Assert.Equal([ContentBlock.Of("back again")], world.Events<AgentMessage>().Single().Content);
    }

    [Theory]
    [InlineData(ModelFaultKind.Rejected, "model_request_failed_error")]
    [InlineData(ModelFaultKind.Unauthorized, "model_request_failed_error")]
    [InlineData(ModelFaultKind.Billing, "billing_error")]
    public async Task A_fault_that_would_come_again_is_not_tried_again(ModelFaultKind kind, string errorType)
    {
        await using var world = new TurnWorld();
        world.Model.Fails(kind).Says("never asked");
        await world.Send("hi");

        await world.Run(Token);

        Assert.Single(world.Model.Requests);
        Assert.Equal(
            (errorType, "exhausted"),
            world.Events<SessionError>().Select(e => (e.Error.Type, e.Error.RetryStatus.Type)).Single());
    }

    [Fact]
    public async Task An_interrupt_stops_an_answer_and_half_an_answer_is_no_message()
    {
        await using var world = new TurnWorld();
        world.Model.SaysAndHangs("half a sent");
        await world.Send("hi");

        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Interrupt();
        await run;

        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running",
                "span.model_request_start", "user.interrupt", "span.model_request_end", "user.interrupt",
                "session.thread_status_idle", "session.usage", "session.status_idle",
            ],
            world.Types);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        var interrupts = world.Events<UserInterrupt>();
        Assert.Equal((interrupts[0].Id, true), (interrupts[1].Id, interrupts[0].ProcessedAt is null));
    }

    [Fact]
    public async Task A_message_after_an_interrupt_redirects_the_agent_without_going_idle()
    {
        await using var world = new TurnWorld();
        world.Model.SaysAndHangs("half").Says("other work");
        await world.Send("work");

        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Log.Append(
            new Waiting(new UserInterrupt()),
            new Waiting(new UserMessage { Content = [ContentBlock.Of("do other work")] }));
        world.Turn!.Interrupt();
        await run;

        Assert.Single(world.Events<SessionStatusIdle>());
        Assert.Equal(
            [new ModelText("work"), new ModelText("do other work")],
            world.Model.Requests.Last().Messages.Single().Content);
    }

    [Fact]
    public async Task An_interrupt_kills_the_command_that_runs()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo begun > begun; sleep 60; echo ended > ended"}""")
            .Calls("bash", """{"command":"ls"}""").Says("done");
        await world.Send("go");

        var run = world.Run(Token);
        await world.Appended("span.model_request_end", Token);
        await world.Interrupt();
        await run;
        await world.Send("what is there?");
        await world.Run(Token);

        var results = world.Events<AgentToolResult>();
        Assert.True(results[0].IsError);
        Assert.Contains("interrupted", ((TextBlock)results[0].Content!.Single()).Text);
        Assert.DoesNotContain("ended", ((TextBlock)results[1].Content!.Single()).Text);
    }

    [Fact]
    public async Task A_message_that_comes_while_the_agent_works_waits_and_then_goes_on_without_idle()
    {
        await using var world = new TurnWorld();
        world.Model.Says("first answer").Says("second answer");
        await world.Send("first");
        await world.Log.Append(new Waiting(new UserMessage { Content = [ContentBlock.Of("second")] }));

        await world.Run(Token);

        Assert.Equal(2, world.Events<AgentMessage>().Count);
        Assert.Single(world.Events<SessionStatusIdle>());
        var second = world.Events<UserMessage>()
            .Where(message => message.Content[0] == ContentBlock.Of("second")).ToList();
        Assert.Equal((2, true, false), (second.Count, second[0].ProcessedAt is null, second[1].ProcessedAt is null));
        Assert.Equal(second[0].Id, second[1].Id);
    }

    [Fact]
    public async Task A_system_message_behind_a_tool_result_reaches_the_model_with_it()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo hi"}""").Says("done");
        await world.Send("go");
        await world.Log.Append(new Waiting(new SystemMessage { Content = [ContentBlock.Of("be brief")] }));

        await world.Run(Token);

        Assert.Contains(new ModelText("be brief"), world.Model.Requests.First().Messages[^1].Content);
        Assert.Single(world.Events<SessionStatusIdle>());
    }

    [Fact]
    public async Task An_interrupt_that_comes_between_two_steps_ends_the_turn_once()
    {
        await using var world = new TurnWorld();
        world.Model.Says("never asked");
        await world.Send("hi");
        await world.Log.Append(new Waiting(new UserInterrupt()));

        await world.Run(Token, isInterrupted: true);

        Assert.Single(world.Events<SessionStatusIdle>());
        Assert.Empty(world.Model.Requests);
    }
}
