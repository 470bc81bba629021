using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Storage;
using Tenon.Wire.Events;

namespace Tenon.Server.Tests.Support;

/// <summary>What tests of outcomes do to a <see cref="TurnWorld"/>, and how a scripted grader speaks.</summary>
internal static class OutcomeLab
{
    /// <summary>The outcome as its session's owner accepts it.</summary>
    public static UserDefineOutcome Defined(int? iterationsMax = null) => new()
    {
        OutcomeId = "outc_1",
        Description = "Write a poem.",
        Rubric = new OutcomeRubric { Type = "text", Content = "It rhymes." },
        MaxIterations = iterationsMax,
    };

    /// <summary>Defines it in an idle session.</summary>
    public static Task Define(this TurnWorld world, int? iterationsMax = null)
    {
        var defined = Defined(iterationsMax);
        return world.Log.Session.Append(
            world.Log, [defined, OutcomeWords.Task(defined), .. Turn.Running(world.Log)], SaveKind.Insert);
    }

    /// <summary>The next answer is a grader's verdict.</summary>
    public static ScriptedModel Judges(this ScriptedModel model, string result, string explanation) => model.Calls(
        "give_verdict", $$"""{"result":"{{result}}","explanation":"{{explanation}}"}""", "verdict");

    /// <summary>What the one evaluation came to.</summary>
    public static (string Result, string Explanation) Verdict(this TurnWorld world)
    {
        var end = world.Events<OutcomeEvaluationEnd>().Single();
        return (end.Result, end.Explanation);
    }

    /// <summary>All that a request says in texts.</summary>
    public static string Text(ModelRequest request) => string.Concat(
        request.Messages.SelectMany(message => message.Content).OfType<ModelText>().Select(text => text.Text));
}
