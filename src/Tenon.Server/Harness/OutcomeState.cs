using Tenon.Server.Models;
using Tenon.Server.Storage;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// What a session's log says of its outcomes (api C.8): which one is worked towards, and how far each is. A fold over
/// the entries, as all state is.
/// </summary>
public sealed class OutcomeState
{
    /// <summary>Outcomes that the session itself lists, the newest: its row is saved with every append.</summary>
    private const int ListedMax = 100;

    private readonly List<Outcome> _outcomes = [];

    /// <summary>The one that is worked towards; null when there is none.</summary>
    public Outcome? Active => _outcomes is [.., { CompletedAt: null } last] ? last : null;

    /// <summary>The user's own words in it.</summary>
    public IReadOnlyList<ContentBlock> Words => Active is { } active
        ? [ContentBlock.Of(active.Description), ContentBlock.Of(active.Rubric)] : [];

    /// <summary>As the session shows them, oldest first.</summary>
    public IReadOnlyList<OutcomeEvaluation> Evaluations { get; private set; } = [];

    /// <summary>Folds one entry in.</summary>
    internal void Apply(LogEntry entry, object content)
    {
        switch (content)
        {
            case UserDefineOutcome defined:
                _outcomes.Add(new Outcome(defined));
                break;
            case Told { OutcomeId: { } id } when Active?.Id == id:
                (Active!.IsTold, Active.Result) = (true, OutcomeResult.Running);
                break;
            case OutcomeEvaluationStart start when Active is { } active:
                (active.StartId, active.Result, active.Usage) = (start.Id, OutcomeResult.Evaluating, new ModelUsage());
                break;
            case GraderAnswer answer when Active is { } active:
                active.Usage += answer.Usage;
                return;
            case OutcomeEvaluationEnd end when Active is { } active:
                active.End(end, Microseconds.FromMicroseconds(entry.At));
                break;
            default:
                return;
        }

        Evaluations = [.. _outcomes.TakeLast(ListedMax).Select(outcome => outcome.ToWire())];
    }
}

/// <summary>An outcome that a client has defined, and how far it is.</summary>
public sealed class Outcome(UserDefineOutcome defined)
{
    private const int IterationsDefault = 3;

    public string Id => defined.OutcomeId!;

    /// <summary>What the agent is to produce.</summary>
    public string Description => defined.Description;

    /// <summary>How it is graded.</summary>
    public string Rubric => defined.Rubric.Content ?? "";

    /// <summary>Evaluations until it is given up.</summary>
    public int IterationsMax => defined.MaxIterations ?? IterationsDefault;

    /// <summary>Evaluations that have ended, and so the number of the present one.</summary>
    public int Iteration { get; private set; }

    /// <summary>The start of the evaluation that goes on; null when none does.</summary>
    public string? StartId { get; internal set; }

    /// <summary>Whether the model has been told of it.</summary>
    public bool IsTold { get; internal set; }

    /// <summary>What the grader has used in the evaluation that goes on.</summary>
    public ModelUsage Usage { get; internal set; } = new();

    /// <summary>When it was over; null before.</summary>
    public DateTimeOffset? CompletedAt { get; private set; }

    internal string Result { get; set; } = OutcomeResult.Pending;

    private string? Explanation { get; set; }

    internal void End(OutcomeEvaluationEnd end, DateTimeOffset at)
    {
        (StartId, Usage, Result, Explanation) = (null, new ModelUsage(), end.Result, end.Explanation);
        if (end.Result == OutcomeResult.NeedsRevision)
        {
            Iteration++;
        }
        else
        {
            CompletedAt = at;
        }
    }

    internal OutcomeEvaluation ToWire() => new()
    {
        OutcomeId = Id,
        Description = Description,
        Result = Result,
        Explanation = Explanation,
        Iteration = Iteration,
        CompletedAt = CompletedAt,
    };
}

/// <summary>The words of an outcome's result.</summary>
public static class OutcomeResult
{
    public const string Pending = "pending";
    public const string Running = "running";
    public const string Evaluating = "evaluating";
    public const string NeedsRevision = "needs_revision";
    public const string Satisfied = "satisfied";
    public const string MaxIterationsReached = "max_iterations_reached";
    public const string Failed = "failed";
    public const string Interrupted = "interrupted";
}
