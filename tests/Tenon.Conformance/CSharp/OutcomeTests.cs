using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Work towards an outcome, through the SDK.</summary>
public sealed class OutcomeTests(Lab lab)
{
    [Fact]
    public async Task Work_is_graded_revised_and_satisfied()
    {
        var session = await lab.Session(
            lab.Model(
                Reply.Text("A first one."), Verdict("needs_revision", "It does not rhyme."),
                Reply.Text("A second one."), Verdict("satisfied", "It rhymes.")),
            new BetaManagedAgentsAgentToolset20260401Params());

        var turn = await session.Turn(Outcome());

        Assert.Equal(["needs_revision", "satisfied"],
            turn.Where(@event => @event.Type() == "span.outcome_evaluation_end")
                .Select(end => end.GetProperty("result").GetString()));
        var evaluation = Assert.Single((await session.Get()).OutcomeEvaluations);
        Assert.Equal(("satisfied", "It rhymes.", 1L),
            (evaluation.Result, evaluation.Explanation, (long)evaluation.Iteration));
        Assert.StartsWith("outc_", evaluation.OutcomeID, StringComparison.Ordinal);
        Assert.NotNull(evaluation.CompletedAt);
    }

    [Fact]
    public async Task An_interrupt_ends_the_outcome_and_another_one_begins()
    {
        var session = await lab.Session(
            lab.Model(Reply.Hang("Well"), Reply.Text("Here it is."), Verdict("satisfied", "It rhymes.")));
        await using (var stream = await session.Open())
        {
            await session.Send(Outcome());
            await stream.ReadTo("span.model_request_start");
            await session.Send(Events.Interrupt());
            await stream.ReadTo("session.status_idle");
        }

        await session.Turn(Outcome());

        Assert.Equal(["interrupted", "satisfied"],
            (await session.Get()).OutcomeEvaluations.Select(evaluation => evaluation.Result));
    }

    private static BetaManagedAgentsEventParams Outcome() => new BetaManagedAgentsUserDefineOutcomeEventParams
    {
        Description = "Write a poem.",
        Rubric = new BetaManagedAgentsTextRubricParams { Content = "- It rhymes." },
        MaxIterations = 3,
    };

    private static Reply Verdict(string result, string explanation) =>
        Reply.ToolUse("give_verdict", new { result, explanation });
}
