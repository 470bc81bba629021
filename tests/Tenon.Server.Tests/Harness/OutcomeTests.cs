using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>Work towards an outcome (api C.8): the task, the evaluations, and what follows from each verdict.</summary>
public sealed class OutcomeTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_model_is_told_the_task_and_a_satisfied_grader_ends_the_turn()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here it is.").Judges("satisfied", "All is there.");
        await world.Define();

        await world.Run(Token);

        Assert.Equal(
        [
            "user.define_outcome", "session.status_running", "session.thread_status_running",
            "span.model_request_start", "agent.message", "span.model_request_end",
            "span.outcome_evaluation_start", "span.outcome_evaluation_end",
            "session.thread_status_idle", "session.usage", "session.status_idle",
        ], world.Types);
        Assert.Contains("Write a poem.", OutcomeLab.Text(world.Model.Requests.First()));
        Assert.Contains("It rhymes.", OutcomeLab.Text(world.Model.Requests.First()));
        var start = world.Events<OutcomeEvaluationStart>().Single();
        var end = world.Events<OutcomeEvaluationEnd>().Single();
        Assert.Equal(("outc_1", 0), (start.OutcomeId, start.Iteration));
        Assert.Equal(new OutcomeEvaluationEnd
        {
            Id = end.Id,
            ProcessedAt = end.ProcessedAt,
            OutcomeEvaluationStartId = start.Id!,
            OutcomeId = "outc_1",
            Iteration = 0,
            Result = "satisfied",
            Explanation = "All is there.",
            Usage = new RequestUsage { InputTokens = 10, OutputTokens = 2 },
        }, end);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task What_needs_revision_is_told_to_the_agent_and_evaluated_again()
    {
        await using var world = new TurnWorld();
        world.Model.Says("First.").Judges("needs_revision", "No rhyme.");
        world.Model.Says("Second.").Judges("satisfied", "A rhyme.");
        await world.Define();

        await world.Run(Token);

        Assert.Equal([0, 1], world.Events<OutcomeEvaluationStart>().Select(start => start.Iteration));
        Assert.Equal([(0, "needs_revision"), (1, "satisfied")],
            world.Events<OutcomeEvaluationEnd>().Select(end => (end.Iteration, end.Result)));
        var told = world.Model.Requests.ElementAt(2);
        Assert.Equal(3, told.Messages.Count);
        Assert.Contains("No rhyme.", ((ModelText)told.Messages[^1].Content.Single()).Text);
        Assert.Single(world.Events<SessionStatusIdle>());
    }

    [Fact]
    public async Task After_the_last_evaluation_the_agent_says_one_last_word()
    {
        await using var world = new TurnWorld();
        world.Model.Says("First.").Judges("needs_revision", "No rhyme.");
        world.Model.Says("Second.").Judges("needs_revision", "Still no rhyme.");
        world.Model.Says("I could not.");
        await world.Define(iterationsMax: 2);

        await world.Run(Token);

        Assert.Equal(["needs_revision", "max_iterations_reached"],
            world.Events<OutcomeEvaluationEnd>().Select(end => end.Result));
        Assert.Contains("Still no rhyme.", OutcomeLab.Text(world.Model.Requests.Last()));
        Assert.Equal("I could not.", Said(world.Events<AgentMessage>()[^1]));
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Equal(5, world.Model.Requests.Count);
    }

    [Fact]
    public async Task A_rubric_that_does_not_apply_ends_the_turn()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Judges("failed", "The rubric is about a table.");
        await world.Define();

        await world.Run(Token);

        Assert.Equal(("failed", "The rubric is about a table."), world.Verdict());
        Assert.Equal("idle", world.Log.Session.History.Status);
        Assert.Equal(2, world.Model.Requests.Count);
    }

    [Fact]
    public async Task An_interrupt_of_an_evaluation_ends_the_outcome()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").SaysAndHangs("Hm");
        await world.Define();
        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Model.Asked(Token);

        await world.Interrupt();
        await run;

        Assert.Equal("interrupted", world.Verdict().Result);
        Assert.Equal(world.Events<OutcomeEvaluationStart>().Single().Id,
            world.Events<OutcomeEvaluationEnd>().Single().OutcomeEvaluationStartId);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Null(world.Log.Session.History.Outcomes.Active);
    }

    [Fact]
    public async Task An_interrupt_before_any_evaluation_ends_the_outcome_too()
    {
        await using var world = new TurnWorld();
        world.Model.SaysAndHangs("Well");
        await world.Define();
        var run = world.Run(Token);
        await world.Model.Asked(Token);

        await world.Interrupt();
        await run;

        var end = world.Events<OutcomeEvaluationEnd>().Single();
        Assert.Equal(("", "interrupted", 0), (end.OutcomeEvaluationStartId, end.Result, end.Iteration));
        Assert.Equal(new RequestUsage(), end.Usage);
    }

    [Fact]
    public async Task An_evaluation_that_a_crash_cuts_short_is_made_again_under_its_start()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Calls("glob", """{"pattern":"*"}""").SaysAndHangs("Hm");
        await world.Define();
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            var run = world.Run(stop.Token);
            await world.Model.Asked(Token);
            await world.Model.Asked(Token);
            await world.Model.Asked(Token);
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        }

        world.Crash();
        Assert.Equal("evaluating", world.Log.Session.History.Outcomes.Evaluations.Single().Result);
        world.Model.Judges("satisfied", "Good.");
        await world.Run(Token);

        var end = world.Events<OutcomeEvaluationEnd>().Single();
        Assert.Equal(world.Events<OutcomeEvaluationStart>().Single().Id, end.OutcomeEvaluationStartId);
        Assert.Equal((20, 4), (end.Usage.InputTokens, end.Usage.OutputTokens));
        Assert.Single(world.Model.Requests.Last().Messages);
    }

    [Fact]
    public async Task The_session_pays_for_the_grader_and_its_budget_holds_an_evaluation_back()
    {
        await using var world = new TurnWorld
        {
            Agent = new SessionAgent
            {
                Id = "agent_1", Version = 1, Name = "tester", Model = new ModelConfig { Id = "claude-opus-4-8" },
            },
            Budget = Limit("25"),
        };
        world.Model.Answers(new ModelResponse
        {
            Stop = ModelStop.EndTurn,
            Content = [new ModelText("Here.")],
            Usage = new ModelUsage { OutputTokens = 10_000 },
        });
        await world.Define();
        world.Crash();
        await world.Run(Token);

        Assert.Empty(world.Events<OutcomeEvaluationStart>());
        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.True(Turn.HasPausedWork(world.Log.History));
        await world.Log.Append(
            [new SessionUpdated { Budget = new Patch<Budget>(Limit("100")) }, .. Turn.Running(world.Log)]);
        world.Model.Judges("satisfied", "Good.");
        await world.Run(Token);

        Assert.Equal("satisfied", world.Verdict().Result);
        Assert.Equal(10_002, world.Events<SessionUsageEvent>()[^1].Usage.OutputTokens);
        Assert.Equal(10_002, world.Log.History.Usage.At(0, world.Prices).OutputTokens);
    }

    [Fact]
    public async Task An_outcome_that_comes_while_the_model_answers_is_told_when_it_has()
    {
        await using var world = new TurnWorld();
        var gate = world.Model.SaysWhenReleased("Hello.");
        world.Model.Says("Here.").Judges("satisfied", "Good.");
        await world.Send("hi");
        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Log.Append(OutcomeLab.Defined());
        Assert.Equal("pending", world.Log.Session.History.Outcomes.Evaluations.Single().Result);

        gate.SetResult();
        await run;

        var asked = world.Model.Requests.ElementAt(1).Messages;
        Assert.Equal([ModelRole.User, ModelRole.Assistant, ModelRole.User], asked.Select(message => message.Role));
        Assert.Contains("Write a poem.", ((ModelText)asked[^1].Content.Single()).Text);
        Assert.Equal("satisfied", world.Verdict().Result);
        Assert.Single(world.Events<SessionStatusIdle>());
    }

    [Fact]
    public async Task An_outcome_that_comes_while_a_call_runs_is_told_with_its_result()
    {
        await using var world = new TurnWorld(new AgentToolset());
        world.Model.Calls("bash", """{"command":"touch begun; until [ -e go ]; do :; done"}""").Says("Here.");
        world.Model.Judges("satisfied", "Good.");
        await world.Send("hi");
        var run = world.Run(Token);
        await world.Appended(LogTypes.SandboxOpened, Token);
        await world.SandboxFile("begun", Token);
        await world.Log.Append(OutcomeLab.Defined());

        world.WriteSandboxFile("go");
        await run;

        var last = world.Model.Requests.ElementAt(1).Messages[^1].Content;
        Assert.IsType<ModelToolResult>(last[0]);
        Assert.Contains("Write a poem.", Assert.IsType<ModelText>(last[1]).Text);
    }

    [Fact]
    public async Task A_message_that_waits_is_answered_before_the_work_is_evaluated()
    {
        await using var world = new TurnWorld();
        world.Model.Says("First.").Says("As you like.").Judges("satisfied", "Good.");
        await world.Define();
        await world.Log.Append(new Waiting(new UserMessage { Content = [ContentBlock.Of("longer, please")] }));

        await world.Run(Token);

        Assert.Contains("As you like.", OutcomeLab.Text(world.Model.Requests.Last()));
        Assert.Single(world.Events<OutcomeEvaluationStart>());
    }

    [Fact]
    public async Task A_turn_that_dies_leaves_the_outcome_to_the_next_message()
    {
        await using var world = new TurnWorld();
        world.Model.Fails(ModelFaultKind.Billing);
        await world.Define();
        await world.Run(Token);
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Empty(world.Events<OutcomeEvaluationEnd>());

        world.Model.Says("Here.").Judges("satisfied", "Good.");
        await world.Send("it is paid");
        await world.Run(Token);

        Assert.Equal("satisfied", world.Verdict().Result);
    }

    [Fact]
    public async Task A_fault_of_our_own_ends_the_evaluation()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Throws();
        await world.Define();
        await Assert.ThrowsAsync<InvalidOperationException>(() => world.Run(Token));

        await world.Turn!.Fail();

        Assert.Equal("failed", world.Verdict().Result);
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    private static Budget Limit(string cents) =>
        new() { Type = "limit", MaxListCost = new Money { Amount = cents, Currency = "USD" } };

    private static string Said(AgentMessage message) => ((TextBlock)message.Content.Single()).Text;
}
