using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>The grader of an outcome: what it is shown, what it may do, and what becomes of a useless one.</summary>
public sealed class OutcomeGraderTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_grader_has_a_context_of_its_own_and_tools_that_only_read()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo secret-thought > /dev/null"}""").Says("Here it is.");
        world.Model.Judges("satisfied", "Good.");
        await world.Define();

        await world.Run(Token);

        var asked = world.Model.Requests.Last();
        Assert.Equal(["read", "glob", "grep", "give_verdict"], asked.Tools.Select(tool => tool.Name));
        Assert.Single(asked.Messages);
        var text = OutcomeLab.Text(asked);
        Assert.All(["Write a poem.", "It rhymes.", "Here it is."], words => Assert.Contains(words, text));
        Assert.DoesNotContain("secret-thought", text);
    }

    [Fact]
    public async Task A_grader_looks_at_files_and_cannot_write_and_nobody_sees_its_calls()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", """{"command":"echo roses > /mnt/session/outputs/poem.txt"}""").Says("Written.")
            .Calls("read", """{"file_path":"/mnt/session/outputs/poem.txt"}""")
            .Calls("write", """{"file_path":"/mnt/session/outputs/poem.txt","content":"x"}""")
            .Calls("bash", """{"command":"rm /mnt/session/outputs/poem.txt"}""");
        world.Model.Judges("needs_revision", "It does not rhyme.");
        world.Model.Calls("bash", """{"command":"cat /mnt/session/outputs/poem.txt"}""").Says("Better.");
        world.Model.Judges("satisfied", "It rhymes.");
        await world.Define();

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
    public async Task A_grader_that_talks_nonsense_is_asked_again_and_then_has_failed()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Says("Looks fine to me!").Judges("wonderful", "x");
        world.Model.Calls("give_verdict", """["satisfied"]""");
        await world.Define();

        await world.Run(Token);

        Assert.Equal(("failed", "The grader gave no verdict that can be read, 3 times."), world.Verdict());
        Assert.Equal(4, world.Model.Requests.Count);
    }

    [Fact]
    public async Task A_grader_that_comes_to_no_end_has_failed()
    {
        await using var world = new TurnWorld { Limits = new Limits { GraderRoundsMax = 2 } };
        world.Model.Says("Here.").Calls("glob", """{"pattern":"*"}""").Calls("glob", """{"pattern":"*"}""");
        await world.Define();

        await world.Run(Token);

        Assert.Equal(("failed", "The grader came to no verdict in 2 answers."), world.Verdict());
    }

    [Fact]
    public async Task A_grader_with_a_full_context_gets_no_more_files()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Answers(new ModelResponse
        {
            Stop = ModelStop.ToolUse,
            Content = [new ModelToolUse("call_1", "glob", JsonElement.Parse("""{"pattern":"*"}"""))],
            Usage = new ModelUsage { InputTokens = 190_000, OutputTokens = 2 },
        });
        world.Model.Judges("satisfied", "Good.");
        await world.Define();

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
        world.Model.Judges("satisfied", "Good.");
        await world.Define();

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
    public async Task A_fault_of_the_graders_model_is_tried_again()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Fails(ModelFaultKind.Overloaded).Fails(ModelFaultKind.RateLimited);
        world.Model.Judges("satisfied", "Good.");
        await world.Define();

        await world.Pass(world.Run(Token));

        Assert.Equal("satisfied", world.Verdict().Result);
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

        await world.Define();

        await world.Pass(world.Run(Token));

        Assert.Equal(("failed", "The grader could not be asked: scripted Overloaded"), world.Verdict());
        Assert.Equal(["scripted", "scripted", "scripted", "other", "other"],
            world.Model.Requests.Select(request => request.Model));
    }

    [Fact]
    public async Task A_grader_that_refuses_has_failed()
    {
        await using var world = new TurnWorld();
        world.Model.Says("Here.").Answers(new ModelResponse { Stop = ModelStop.Refusal });
        await world.Define();

        await world.Run(Token);

        Assert.Equal(("failed", "The grader's model refused to evaluate the work."), world.Verdict());
    }

    [Fact]
    public async Task A_grader_of_a_self_hosted_session_reads_what_the_agent_did()
    {
        await using var world = new TurnWorld { IsSelfHosted = true };
        world.Crash();
        world.Model.Says("Here.").Judges("satisfied", "Good.");
        await world.Define();

        await world.Run(Token);

        var asked = world.Model.Requests.Last();
        Assert.Equal(["give_verdict"], asked.Tools.Select(tool => tool.Name));
        Assert.Contains("[Agent] Here.", OutcomeLab.Text(asked));
    }
}
