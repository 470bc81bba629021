using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Storage;
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
        Verdict(world.Model.Says("Here it is."), "satisfied", "All is there.");
        await Define(world);

        await world.Run(Token);

        Assert.Equal(
        [
            "user.define_outcome", "session.status_running", "session.thread_status_running",
            "span.model_request_start", "agent.message", "span.model_request_end",
            "span.outcome_evaluation_start", "span.outcome_evaluation_end",
            "session.thread_status_idle", "session.usage", "session.status_idle",
        ], world.Types);
        Assert.Contains("Write a poem.", Text(world.Model.Requests.First()));
        Assert.Contains("It rhymes.", Text(world.Model.Requests.First()));
        var (start, end) = (world.Events<OutcomeEvaluationStart>().Single(), world.Events<OutcomeEvaluationEnd>().Single());
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
    public async Task The_grader_has_a_context_of_its_own_and_tools_that_only_read()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo secret-thought > /dev/null"}""").Says("Here it is.");
        Verdict(world.Model, "satisfied", "Good.");
        await Define(world);

        await world.Run(Token);

        var asked = world.Model.Requests.Last();
        Assert.Equal(["read", "glob", "grep", "give_verdict"], asked.Tools.Select(tool => tool.Name));
        Assert.Single(asked.Messages);
        Assert.All(["Write a poem.", "It rhymes.", "Here it is."], words => Assert.Contains(words, Text(asked)));
        Assert.DoesNotContain("secret-thought", Text(asked));
    }

    [Fact]
    public async Task A_grader_looks_at_files_and_cannot_write_and_nobody_sees_its_calls()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo roses > /mnt/session/outputs/poem.txt"}""").Says("Written.")
            .Calls("read", """{"file_path":"/mnt/session/outputs/poem.txt"}""")
            .Calls("write", """{"file_path":"/mnt/session/outputs/poem.txt","content":"x"}""")
            .Calls("bash", """{"command":"rm /mnt/session/outputs/poem.txt"}""");
        Verdict(world.Model, "needs_revision", "It does not rhyme.");
        world.Model.Calls("bash", """{"command":"cat /mnt/session/outputs/poem.txt"}""").Says("Better.");
        Verdict(world.Model, "satisfied", "It rhymes.");
        await Define(world);

        await world.Run(Token);

        var graded = world.Model.Requests.ElementAt(5).Messages;
        Assert.Equal(
        [
            (false, "roses\n"), (true, "There is no tool write."), (true, "There is no tool bash."),
        ], graded.SelectMany(message => message.Content).OfType<ModelToolResult>().Select(result =>
            (result.IsError, ((TextBlock)result.Content.Single()).Text)).ToList());
        Assert.Equal(2, world.Events<AgentToolUse>().Count);
        Assert.Equal([ContentBlock.Of("roses")], world.Events<AgentToolResult>()[1].Content);
    }

    [Fact]
    public async Task What_needs_revision_is_told_to_the_agent_and_evaluated_again()
    {
        await using var world = new TurnWorld();
        Verdict(world.Model.Says("First."), "needs_revision", "No rhyme.");
        Verdict(world.Model.Says("Second."), "satisfied", "A rhyme.");
        await Define(world);

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
        Verdict(world.Model.Says("First."), "needs_revision", "No rhyme.");
        Verdict(world.Model.Says("Second."), "needs_revision", "Still no rhyme.");
        world.Model.Says("I could not.");
        await Define(world, iterationsMax: 2);

        await world.Run(Token);

        Assert.Equal(["needs_revision", "max_iterations_reached"],
            world.Events<OutcomeEvaluationEnd>().Select(end => end.Result));
        Assert.Contains("Still no rhyme.", Text(world.Model.Requests.Last()));
        Assert.Equal("I could not.", Said(world.Events<AgentMessage>()[^1]));
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Equal(5, world.Model.Requests.Count);
    }

    [Fact]
    public async Task A_rubric_that_does_not_apply_ends_the_turn()
    {
        await using var world = new TurnWorld();
        Verdict(world.Model.Says("Here."), "failed", "The rubric is about a table.");
        await Define(world);

        await world.Run(Token);

        Assert.Equal(("failed", "The rubric is about a table."), End(world));
        Assert.Equal("idle", world.Log.Session.History.Status);
        Assert.Equal(2, world.Model.Requests.Count);
    }

    [Fact]
    public async Task A_grader_that_talks_nonsense_is_asked_again_and_then_has_failed()
    {
        await using var world = new TurnWorld();
        Verdict(world.Model.Says("Here.").Says("Looks fine to me!"), "wonderful", "x");
        world.Model.Calls("give_verdict", """["satisfied"]""");
        await Define(world);

        await world.Run(Token);

        Assert.Equal(("failed", "The grader gave no verdict that can be read, 3 times."), End(world));
        Assert.Equal(4, world.Model.Requests.Count);
    }

    [Fact]
    public async Task A_grader_that_comes_to_no_end_has_failed()
    {
        await using var world = new TurnWorld { Limits = new Limits { GraderRoundsMax = 2 } };
        world.Model.Says("Here.").Calls("glob", """{"pattern":"*"}""").Calls("glob", """{"pattern":"*"}""");
        await Define(world);

        await world.Run(Token);

        Assert.Equal(("failed", "The grader came to no verdict in 2 answers."), End(world));
    }

    [Fact]
    public async Task A_grader_with_a_full_context_gets_no_more_files()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Answers(new ModelResponse
        {
            Stop = ModelStop.ToolUse,
            Content = [new ModelToolUse("call_1", "glob", System.Text.Json.JsonElement.Parse("""{"pattern":"*"}"""))],
            Usage = new ModelUsage { InputTokens = 190_000, OutputTokens = 2 },
        });
        Verdict(world.Model, "satisfied", "Good.");
        await Define(world);

        await world.Run(Token);

        var result = Assert.IsType<ModelToolResult>(world.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.Contains("no room", ((TextBlock)result.Content.Single()).Text);
    }

    [Fact]
    public async Task Clients_are_told_that_a_grader_is_at_work()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.");
        var gate = world.Model.SaysWhenReleased("Hm.");
        Verdict(world.Model, "satisfied", "Good.");
        await Define(world);

        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Model.Asked(Token);
        while (world.Events<OutcomeEvaluationOngoing>().Count < 2)
        {
            world.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        gate.SetResult();
        await run;

        Assert.All(world.Events<OutcomeEvaluationOngoing>(),
            ongoing => Assert.Equal(("outc_1", 0), (ongoing.OutcomeId, ongoing.Iteration)));
        var times = world.Events<OutcomeEvaluationOngoing>().Select(ongoing => ongoing.ProcessedAt!.Value).ToList();
        Assert.True(times[1] - times[0] >= world.Limits.GraderHeartbeat);
    }

    [Fact]
    public async Task An_interrupt_of_an_evaluation_ends_the_outcome()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").SaysAndHangs("Hm");
        await Define(world);
        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Model.Asked(Token);

        await world.Interrupt();
        await run;

        Assert.Equal("interrupted", End(world).Result);
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
        await Define(world);
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
        await Define(world);
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
        Verdict(world.Model, "satisfied", "Good.");
        await world.Run(Token);

        var end = world.Events<OutcomeEvaluationEnd>().Single();
        Assert.Equal(world.Events<OutcomeEvaluationStart>().Single().Id, end.OutcomeEvaluationStartId);
        Assert.Equal((20, 4), (end.Usage.InputTokens, end.Usage.OutputTokens));
        Assert.Single(world.Model.Requests.Last().Messages);
    }

    [Fact]
    public async Task A_fault_of_the_graders_model_is_tried_again()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Fails(ModelFaultKind.Overloaded).Fails(ModelFaultKind.RateLimited);
        Verdict(world.Model, "satisfied", "Good.");
        await Define(world);

        await world.Pass(world.Run(Token));

        Assert.Equal("satisfied", End(world).Result);
        Assert.Empty(world.Events<SessionError>());
    }

    [Fact]
    public async Task A_grader_whose_model_stays_away_is_replaced_by_the_next_one_and_then_has_failed()
    {
        await using var world = new TurnWorld { Limits = new Limits { ModelAttemptsMax = 2 } };
        world.Model.FallsBackTo = ["other"];
        world.Model.Says("Here.");
        for (var i = 0; i < 4; i++)
        {
            world.Model.Fails(ModelFaultKind.Overloaded);
        }

        await Define(world);

        await world.Pass(world.Run(Token));

        Assert.Equal(("failed", "The grader could not be asked: scripted Overloaded"), End(world));
        Assert.Equal(["scripted", "scripted", "scripted", "other", "other"],
            world.Model.Requests.Select(request => request.Model));
    }

    [Fact]
    public async Task A_grader_that_refuses_has_failed()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Answers(new ModelResponse { Stop = ModelStop.Refusal });
        await Define(world);

        await world.Run(Token);

        Assert.Equal(("failed", "The grader's model refused to evaluate the work."), End(world));
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
        await Define(world);
        world.Crash();
        await world.Run(Token);

        Assert.Empty(world.Events<OutcomeEvaluationStart>());
        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.True(Turn.HasPausedWork(world.Log.History));
        await world.Log.Append(
            [new SessionUpdated { Budget = new Patch<Budget>(Limit("100")) }, .. Turn.Running(world.Log)]);
        Verdict(world.Model, "satisfied", "Good.");
        await world.Run(Token);

        Assert.Equal("satisfied", End(world).Result);
        Assert.Equal(10_002, world.Events<SessionUsageEvent>()[^1].Usage.OutputTokens);
        Assert.Equal(10_002, world.Log.History.Usage.At(0, world.Prices).OutputTokens);
    }

    [Fact]
    public async Task An_outcome_that_comes_while_the_model_answers_is_told_when_it_has()
    {
        await using var world = new TurnWorld();
        var gate = world.Model.SaysWhenReleased("Hello.");
        Verdict(world.Model.Says("Here."), "satisfied", "Good.");
        await world.Send("hi");
        var run = world.Run(Token);
        await world.Model.Asked(Token);
        await world.Log.Append(Defined());
        Assert.Equal("pending", world.Log.Session.History.Outcomes.Evaluations.Single().Result);

        gate.SetResult();
        await run;

        var asked = world.Model.Requests.ElementAt(1).Messages;
        Assert.Equal([ModelRole.User, ModelRole.Assistant, ModelRole.User], asked.Select(message => message.Role));
        Assert.Contains("Write a poem.", ((ModelText)asked[^1].Content.Single()).Text);
        Assert.Equal("satisfied", End(world).Result);
        Assert.Single(world.Events<SessionStatusIdle>());
    }

    [Fact]
    public async Task An_outcome_that_comes_while_a_call_runs_is_told_with_its_result()
    {
        await using var world = new TurnWorld(new AgentToolset());
        world.Model.Calls("bash", """{"command":"touch begun; until [ -e go ]; do :; done"}""").Says("Here.");
        Verdict(world.Model, "satisfied", "Good.");
        await world.Send("hi");
        var run = world.Run(Token);
        await world.Appended(LogTypes.SandboxOpened, Token);
        await world.SandboxFile("begun", Token);
        await world.Log.Append(Defined());

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
        Verdict(world.Model.Says("First.").Says("As you like."), "satisfied", "Good.");
        await Define(world);
        await world.Log.Append(new Waiting(new UserMessage { Content = [ContentBlock.Of("longer, please")] }));

        await world.Run(Token);

        Assert.Contains("As you like.", Text(world.Model.Requests.Last()));
        Assert.Single(world.Events<OutcomeEvaluationStart>());
    }

    [Fact]
    public async Task A_turn_that_dies_leaves_the_outcome_to_the_next_message()
    {
        await using var world = new TurnWorld();
        world.Model.Fails(ModelFaultKind.Billing);
        await Define(world);
        await world.Run(Token);
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Empty(world.Events<OutcomeEvaluationEnd>());

        Verdict(world.Model.Says("Here."), "satisfied", "Good.");
        await world.Send("it is paid");
        await world.Run(Token);

        Assert.Equal("satisfied", End(world).Result);
    }

    [Fact]
    public async Task A_fault_of_our_own_ends_the_evaluation()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Throws();
        await Define(world);
        await Assert.ThrowsAsync<InvalidOperationException>(() => world.Run(Token));

        await world.Turn!.Fail();

        Assert.Equal("failed", End(world).Result);
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_grader_of_a_self_hosted_session_reads_what_the_agent_did()
    {
        await using var world = new TurnWorld { IsSelfHosted = true };
        world.Crash();
        Verdict(world.Model.Says("Here."), "satisfied", "Good.");
        await Define(world);

        await world.Run(Token);

        var asked = world.Model.Requests.Last();
        Assert.Equal(["give_verdict"], asked.Tools.Select(tool => tool.Name));
        Assert.Contains("[Agent] Here.", Text(asked));
    }

    private static Task Define(TurnWorld world, int? iterationsMax = null)
    {
        var defined = Defined(iterationsMax);
        return world.Log.Session.Append(
            world.Log, [defined, OutcomeWords.Task(defined), .. Turn.Running(world.Log)], SaveKind.Insert);
    }

    private static UserDefineOutcome Defined(int? iterationsMax = null) => new()
    {
        OutcomeId = "outc_1",
        Description = "Write a poem.",
        Rubric = new OutcomeRubric { Type = "text", Content = "It rhymes." },
        MaxIterations = iterationsMax,
    };

    private static void Verdict(ScriptedModel model, string result, string explanation) => model.Calls(
        "give_verdict", $$"""{"result":"{{result}}","explanation":"{{explanation}}"}""", "verdict");

    private static (string Result, string Explanation) End(TurnWorld world)
    {
        var end = world.Events<OutcomeEvaluationEnd>().Single();
        return (end.Result, end.Explanation);
    }

    private static Budget Limit(string cents) =>
        new() { Type = "limit", MaxListCost = new Money { Amount = cents, Currency = "USD" } };

    private static string Text(ModelRequest request) => string.Concat(
        request.Messages.SelectMany(message => message.Content).OfType<ModelText>().Select(text => text.Text));

    private static string Said(AgentMessage message) => ((TextBlock)message.Content.Single()).Text;
}
