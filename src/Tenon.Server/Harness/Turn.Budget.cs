using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>The budget (api G): a request that would go past it is not made until it is raised or removed.</content>
public sealed partial class Turn
{
    /// <summary>
    /// Whether the session stands still at its budget, with nothing for the client to answer. It does no longer once
    /// the budget has been raised or removed, although the log's last word is still that it was reached.
    /// </summary>
    public static bool IsPaused(SessionLog log) =>
        log.History.Status == SessionStatus.Idle
        && log.History.StopReason?.Type == StopReason.BudgetReached.Type
        && log.IsAtBudget;

    /// <summary>Whether a session that stood still at its budget has something to ask the model.</summary>
    public static bool HasPausedWork(History history) =>
        history.Status == SessionStatus.Idle
        && history.StopReason?.Type == StopReason.BudgetReached.Type
        && (history.NeedsAnswer || history.Waiting.Count > 0);

    /// <summary>The log keeps what waits: a new owner, or this one, asks it when the budget allows.</summary>
    private Task Pause() => Idle(StopReason.BudgetReached);

    // A thread may end its turn with the request that reaches the budget; its session says that it is reached. Only a
    // call that waits for the client comes before that: it can still be answered.
    private static SessionStatusIdle IdleSession(SessionLog log, StopReason reason, StopDetails? details) =>
        log.IsAtBudget && reason.EventIds is null
            ? new SessionStatusIdle { StopReason = StopReason.BudgetReached }
            : new SessionStatusIdle { StopReason = reason, StopDetails = details };
}
