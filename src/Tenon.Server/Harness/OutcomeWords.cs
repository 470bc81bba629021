using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <summary>What the agent is told of an outcome: its task, and what each evaluation came to.</summary>
public static class OutcomeWords
{
    /// <summary>The task, as it is told when the outcome is accepted.</summary>
    public static Told Task(UserDefineOutcome defined) =>
        Task(defined.OutcomeId!, defined.Description, defined.Rubric.Content ?? "");

    internal static Told Task(Outcome outcome) => Task(outcome.Id, outcome.Description, outcome.Rubric);

    internal static Told Revise(Outcome outcome, string explanation) => About(outcome.Id,
        $"""
        [Evaluation {outcome.Iteration + 1} of {outcome.IterationsMax}: the work needs revision. The grader says:]

        {explanation}

        [Revise the work. It is evaluated again when you end your turn.]
        """);

    internal static Told Acknowledge(Outcome outcome, string explanation) => About(outcome.Id,
        $"""
        [Evaluation {outcome.Iteration + 1} of {outcome.IterationsMax}: the work still needs revision, and it is not
        evaluated again. The grader says:]

        {explanation}

        [Do not go on with the work. Tell the user in a few sentences what was reached and what is missing.]
        """);

    private static Told Task(string id, string description, string rubric) => About(id,
        $"""
        [The user has defined an outcome that you work towards:]

        {description}

        [When you end your turn, a grader that has not seen how you worked looks at the files and at your last message,
        and grades them by this rubric. What it finds missing you are told, to revise it. Work on your own until the
        outcome is reached: do not end your turn to ask whether you may go on. The rubric:]

        {rubric}
        """);

    private static Told About(string outcomeId, string text) => new(text) { OutcomeId = outcomeId };
}
