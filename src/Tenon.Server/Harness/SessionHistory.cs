using Tenon.Server.Storage;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// What a session's log says of the session as a whole, over all of its threads: its status, what was used, its budget,
/// its sandbox and the snapshots of its files. A fold over the entries, as <see cref="History"/> is for one thread.
/// </summary>
public sealed class SessionHistory
{
    private readonly List<SnapshotTaken> _snapshots = [];
    private long _usedAt;

    /// <summary>The last sequence number folded in.</summary>
    public long Seq { get; private set; }

    /// <summary>Running while any of its threads is.</summary>
    public string Status { get; private set; } = SessionStatus.Idle;

    /// <summary>Why it last went idle; null before that and while it runs.</summary>
    public StopReason? StopReason { get; private set; }

    /// <summary>All requests of all threads, and the time in which at least one of them ran.</summary>
    public UsageTotals Usage { get; } = new();

    /// <summary>What the session may cost, all threads together; null when it has no budget.</summary>
    public Budget? Budget { get; internal set; }

    /// <summary>Whether the client runs the sandbox tools, in an environment of its own (api B.5).</summary>
    public bool IsSelfHosted { get; internal set; }

    /// <summary>The life of the sandbox that calls were last sent to; null when none ever was.</summary>
    public string? SandboxInstance { get; private set; }

    /// <summary>What the models were last told of what was put into the sandbox.</summary>
    public string? SandboxProvision { get; private set; }

    /// <summary>The snapshots of the session's files, oldest first.</summary>
    public IReadOnlyList<SnapshotTaken> Snapshots => _snapshots;

    /// <summary>The outcomes that the client has defined.</summary>
    public OutcomeState Outcomes { get; } = new();

    /// <summary>Whether a tool has run in the sandbox since the last snapshot.</summary>
    public bool IsSnapshotDue => _usedAt > (_snapshots.Count > 0 ? _snapshots[^1].At : 0);

    /// <summary>Of which the log says that the environment lets them go nowhere.</summary>
    public HashSet<string> UnreachableCredentials { get; } = [];

    /// <summary>Folds one entry in, of whatever thread it is.</summary>
    public void Apply(LogEntry entry, object content)
    {
        Seq = entry.Seq;
        Outcomes.Apply(entry, content);
        switch (content)
        {
            case SandboxOpened opened:
                SandboxInstance = opened.Instance;
                SandboxProvision = opened.Provision ?? SandboxProvision;
                break;
            case SnapshotTaken snapshot:
                _snapshots.Add(snapshot);
                break;
            case Forked:
                // Another session's snapshots, and what it used, stay its own.
                _snapshots.Clear();
                _usedAt = 0;
                Usage.Reset(entry.At);
                break;
            case SessionEvent @event:
                Apply(@event, entry);
                break;
        }
    }

    /// <summary>A tool has run in the sandbox, and may have changed files; null for one that ran elsewhere.</summary>
    internal void NoteUse(long? seq) => _usedAt = seq ?? _usedAt;

    private void Apply(SessionEvent @event, LogEntry entry)
    {
        switch (@event)
        {
            case SessionStatusRunning:
                (Status, StopReason) = (SessionStatus.Running, null);
                Usage.Start(entry.At);
                break;
            case SessionStatusRescheduled:
                Status = SessionStatus.Rescheduling;
                Usage.Stop(entry.At);
                break;
            case SessionStatusIdle idle:
                (Status, StopReason) = (SessionStatus.Idle, idle.StopReason);
                Usage.Stop(entry.At);
                break;
            case SessionStatusTerminated:
                Status = SessionStatus.Terminated;
                Usage.Stop(entry.At);
                break;
            case SessionDeleted:
                Status = SessionStatus.Deleted;
                break;
            case SessionError { Error: { Type: UnreachableCredential.ErrorType, Extra: { } fields } }:
                UnreachableCredentials.Add(fields[UnreachableCredential.IdField].GetString()!);
                break;
            case SessionUpdated updated:
                Budget = updated.Budget.Or(Budget);
                break;
        }
    }
}

/// <summary>The words of a session's status, and of a thread's (api C.3).</summary>
public static class SessionStatus
{
    public const string Idle = "idle";
    public const string Running = "running";
    public const string Rescheduling = "rescheduling";
    public const string Terminated = "terminated";

    /// <summary>Not on the wire: the row waits to be swept.</summary>
    public const string Deleted = "deleted";

    /// <summary>Whether something happens, or will by itself.</summary>
    public static bool IsActive(string status) => status is Running or Rescheduling;
}
