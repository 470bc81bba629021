using Tenon.Server.Harness;
using Tenon.Wire.Events;

namespace Tenon.Server.Sessions;

/// <content>How a batch of a client's events is taken into the log.</content>
public sealed partial class SessionOwner
{
    /// <summary>
    /// The entries that accept a batch. What can take effect at once does; the rest waits in the log of the thread that
    /// it is for. The ids and the times that clients get back are those that are stored.
    /// </summary>
    private Accepted Accept(IReadOnlyList<SessionEvent> events)
    {
        var accepted = new Accepted();
        var thread = _log.Primary;
        foreach (var @event in events.Select(@event => @event with { Id = _log.NextId(), ProcessedAt = null }))
        {
            if (@event is UserInterrupt interrupt)
            {
                AcceptInterrupt(interrupt, accepted);
                continue;
            }

            if (@event is UserDefineOutcome outcome)
            {
                AcceptOutcome(outcome, accepted);
                continue;
            }

            // Answers find their call; what the application says about them goes with them.
            thread = SessionInput.CallOf(@event) is { } callId ? SessionInput.ThreadOf(callId, _log)!
                : @event is SystemMessage ? thread : _log.Primary;
            if (TakesEffect(@event, thread.History, events) && !accepted.IsCleared(thread))
            {
                var stamped = _log.Stamp(thread.IsPrimary ? @event : Routed(@event, thread.ThreadId));
                accepted.Add(thread, new Shown(stamped), stamped);
                accepted.Moved.Add(thread);
            }
            else
            {
                accepted.Add(thread, new Waiting(@event), @event);
            }
        }

        foreach (var moved in accepted.Moved.Where(moved =>
            moved.History.Status == SessionStatus.Idle && !accepted.Closed.Contains(moved)))
        {
            var remaining = moved.History.Round.Where(call => WaitsBehind(call, events)).ToList();
            accepted.Entries.AddRange(On(_ => remaining.Count == 0
                ? Turn.Running(moved)
                : Turn.Idle(moved, StopReason.RequiresAction(remaining.ConvertAll(call => call.Id))))(moved));
        }

        if (accepted.Ends.Count > 0)
        {
            // Last, and once: what the session says counts the calls that are still open.
            accepted.Ends.Add(new Later(() => Turn.AfterThread(_log)));
        }

        return accepted;
    }

    /// <summary>An outcome begins at once where nothing runs; else the turn that runs takes it up (api C.8).</summary>
    private void AcceptOutcome(UserDefineOutcome outcome, Accepted accepted)
    {
        var begun = OutcomeRules.Begun(_log, outcome, _services.Ids);
        var isFree = _log.Primary.History is { Status: SessionStatus.Idle, Round.Count: 0 };
        accepted.Add(_log.Primary, begun[0], (SessionEvent)begun[0]);
        if (isFree)
        {
            accepted.Entries.Add(begun[1]);
            accepted.Moved.Add(_log.Primary);
        }
    }

    /// <summary>
    /// An interrupt of one thread, or of all (api C.7). An idle thread has nothing that it could stop, but an outcome
    /// that is worked towards: that it ends.
    /// </summary>
    private void AcceptInterrupt(UserInterrupt interrupt, Accepted accepted)
    {
        var isForAll = interrupt.SessionThreadId is null;
        accepted.Echoed.Add(interrupt);
        if (isForAll && _log.Runs.Open.Any())
        {
            // What a plan has begun is not gone on with by the plan either.
            accepted.Ends.AddRange(_log.Runs.Open.SelectMany(run => WorkflowSteps.Stop(_log, run)));
        }

        foreach (var thread in Open().Where(thread => isForAll
            ? !thread.IsOfRun : thread.ThreadId == interrupt.SessionThreadId))
        {
            var isBlocked = thread.History.Round.Count > 0
                || (thread.IsPrimary && _log.History.Outcomes.Active is not null);
            if (thread.History.Status != SessionStatus.Idle)
            {
                accepted.Entries.Add(new On(thread.ThreadId, new Waiting(interrupt)));
                accepted.Interrupted.Add(thread);
            }
            else if (isBlocked && accepted.Closed.Add(thread))
            {
                // Nothing runs that would close the calls, and nobody would wake an idle session after a crash.
                accepted.Entries.Add(new On(thread.ThreadId, new Waiting(interrupt)));
                accepted.Ends.Add(new On(thread.ThreadId, new Later(() => Turn.EndThread(thread))));
            }
            else if (thread.IsPrimary)
            {
                var stamped = (UserInterrupt)_log.Stamp(interrupt);
                accepted.Entries.Add(stamped);
                accepted.Echoed[^1] = stamped;
            }
        }
    }

    private static bool TakesEffect(SessionEvent @event, History history, IReadOnlyList<SessionEvent> events)
    {
        if (@event is UserToolConfirmation or UserCustomToolResult or UserToolResult)
        {
            return true;
        }

        // What the application says about results is for the same request to the model as the results themselves.
        var resolves = history.Round.All(call => !call.IsOpen
            || events.Any(other => other is not UserToolConfirmation && SessionInput.CallOf(other) == call.Id));
        return history.Status == SessionStatus.Idle
            && (history.Round.Count == 0 || (@event is SystemMessage && resolves));
    }

    private static SessionEvent Routed(SessionEvent @event, string threadId) => @event switch
    {
        UserToolConfirmation confirmation => confirmation with { SessionThreadId = threadId },
        UserCustomToolResult result => result with { SessionThreadId = threadId },
        UserToolResult result => result with { SessionThreadId = threadId },
        _ => @event,
    };

    // What the client has allowed in a sandbox of its own, it still has to run.
    private static bool WaitsBehind(Call call, IReadOnlyList<SessionEvent> events) => call.WaitsForClient
        && events.FirstOrDefault(@event => SessionInput.CallOf(@event) == call.Id) switch
        {
            null => true,
            UserToolConfirmation { Result: "allow" } => call.ClientRuns,
            _ => false,
        };

    /// <summary>A batch as it is taken in.</summary>
    private sealed class Accepted
    {
        public List<object> Entries { get; } = [];

        /// <summary>What closes the calls of idle threads, after all that came in.</summary>
        public List<object> Ends { get; } = [];

        public List<SessionEvent> Echoed { get; } = [];

        /// <summary>Threads that something has taken effect on.</summary>
        public HashSet<ThreadLog> Moved { get; } = [];

        /// <summary>Idle threads whose calls an interrupt closes.</summary>
        public HashSet<ThreadLog> Closed { get; } = [];

        /// <summary>Threads whose turn is to stop.</summary>
        public HashSet<ThreadLog> Interrupted { get; } = [];

        /// <summary>Whether all that comes in waits for the entries that end what an interrupt has cut short.</summary>
        public bool IsCleared(ThreadLog thread) => Closed.Contains(thread) && thread.History.Round.Count == 0;

        public void Add(ThreadLog thread, object entry, SessionEvent echoed)
        {
            Entries.Add(new On(thread.ThreadId, entry));
            Echoed.Add(echoed);
        }
    }
}
