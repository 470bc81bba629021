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

    /// <summary>Whether a thread that stood still at the budget has something to ask the model.</summary>
    public static bool HasPausedWork(History history) =>
        history.Status == SessionStatus.Idle
        && history.StopReason?.Type == StopReason.BudgetReached.Type
        && (history.NeedsAnswer || history.Waiting.Count > 0 || history.ToTell.Count > 0
            || history.Session.Outcomes.Active is not null);

    /// <summary>What a session says once threads have been ended from outside: nothing, when nothing changes.</summary>
    public static IReadOnlyList<object> AfterThread(SessionLog session) => !session.IsActive
        && (SessionStatus.IsActive(session.History.Status) || session.History.StopReason?.Type == "requires_action")
            ? IdleSession(session, StopReason.EndTurn) : [];

    /// <summary>The log keeps what waits: a new owner, or this one, asks it when the budget allows.</summary>
    private Task Pause() => Idle(StopReason.BudgetReached);

    /// <summary>The session's own words when a thread goes idle: none but what was used while another one runs.
    /// </summary>
    private static IReadOnlyList<object> IdleSession(SessionLog session, StopReason reason)
    {
        var primary = session.Primary.ThreadId;
        var usage = new On(primary, new SessionUsageEvent { Usage = session.Usage, Budget = session.History.Budget });
        return session.IsActive
            ? reason.Type == StopReason.BudgetReached.Type ? [usage] : []
            : IsEvaluationDue(session) ? [.. Running(session.Primary).Select(entry => new On(primary, entry))]
            : [usage, new On(primary, IdleEvent(session))];
    }

    // Calls that wait for the client come first: they can still be answered at the budget. A thread may end its turn
    // with the request that reaches the budget; its session says that it is reached. Else the primary thread has the
    // say, for it is the one that the client talks to.
    private static SessionStatusIdle IdleEvent(SessionLog session)
    {
        var waiting = session.Threads.Where(thread => thread.History.Status != SessionStatus.Terminated)
            .SelectMany(thread => thread.History.Round).Where(call => call.WaitsForClient).ToList();
        var own = session.Primary.History;
        return waiting.Count > 0
            ? new SessionStatusIdle { StopReason = StopReason.RequiresAction(waiting.ConvertAll(call => call.Id)) }
            : session.IsAtBudget ? new SessionStatusIdle { StopReason = StopReason.BudgetReached }
            : new SessionStatusIdle
            {
                StopReason = own.StopReason ?? StopReason.EndTurn, StopDetails = own.StopDetails,
            };
    }
}
