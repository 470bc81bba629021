using Tenon.Server.Storage;

namespace Tenon.Server.Harness;

/// <summary>
/// Finds where a history can be cut: the last entry up to which nothing is open, no request to the model, no call of a
/// tool, no evaluation, no input that waits.
/// </summary>
/// <remarks>
/// Entries are given one by one, oldest first. When the wanted event stands within an answer, or within the entries
/// that end a turn, and the rest of that leaves nothing open, the cut is after it; else it is before what is open.
/// </remarks>
public sealed class ForkPoint(string? eventId)
{
    /// <summary>What may follow the wanted event and still belong to it.</summary>
    private static readonly HashSet<string> SameBreath =
    [
        LogTypes.ModelAnswer, LogTypes.Snapshot, LogTypes.Told, LogTypes.GraderAnswer, "span.outcome_evaluation_start",
        "span.outcome_evaluation_ongoing", "span.outcome_evaluation_end", "agent.thinking", "agent.message",
        "span.model_request_end",
        "session.status_running", "session.thread_status_running", "session.thread_status_idle", "session.usage",
        "session.status_idle",
    ];

    private readonly SessionHistory _session = new();
    private readonly Dictionary<string, History> _threads = new(StringComparer.Ordinal);
    private bool _goesOn;

    /// <summary>Whether the wanted event was met.</summary>
    public bool IsFound { get; private set; } = eventId is null;

    /// <summary>The last entry of the fork's history; 0 for none.</summary>
    public long Seq { get; private set; }

    /// <summary>Those of the session's own files at or before the cut, newest first.</summary>
    public IEnumerable<SnapshotTaken> Snapshots =>
        _session.Snapshots.Where(snapshot => snapshot.At <= Seq).OrderByDescending(snapshot => snapshot.At);

    public void Take(LogEntry entry)
    {
        var content = LogCodec.Decode(entry);
        _session.Apply(entry, content);
        if (!_threads.TryGetValue(entry.Thread, out var thread))
        {
            _threads.Add(entry.Thread, thread = new History(entry.Thread, _session));
        }

        thread.Apply(entry, content);
        if (entry.Id == eventId)
        {
            // An event that waited stands here once more, as it took effect.
            (IsFound, _goesOn) = (true, true);
        }
        else if (eventId is not null && IsFound)
        {
            _goesOn &= SameBreath.Contains(entry.Type);
        }

        if ((eventId is null || !IsFound || _goesOn) && IsQuiet(entry.Type))
        {
            Seq = entry.Seq;
            _goesOn = false;
        }
    }

    private bool IsQuiet(string type) =>
        _threads.Values.All(thread => thread is { OpenRequestId: null, Waiting.Count: 0 }
            && thread.Round.All(call => !call.IsOpen))
        && _session.Outcomes.Active?.StartId is null
        && _session.Status is not (SessionStatus.Terminated or SessionStatus.Deleted)
        && type is not (LogTypes.ModelAnswer or "session.thread_status_idle" or "session.usage"
            or "session.thread_status_terminated" or "session.thread_created" or LogTypes.ThreadStarted
            or "agent.thread_message_sent");
}
