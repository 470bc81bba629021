namespace Tenon.Server.Storage;

/// <summary>One durable entry of a session's log.</summary>
/// <param name="Seq">Counts from 1 within the session, without gaps.</param>
/// <param name="Thread">The thread it belongs to.</param>
/// <param name="Id">The event's wire id. A later entry with the same id is the event's newer state and replaces
/// it.</param>
/// <param name="At">When it was written, in Unix microseconds.</param>
/// <param name="Body">The exact JSON that clients get, or an internal record.</param>
/// <param name="Internal">True for what never leaves the server.</param>
public sealed record LogEntry(long Seq, string Thread, string Id, string Type, long At, string Body, bool Internal);

/// <summary>Entries that become durable together, or not at all.</summary>
public sealed record LogAppend
{
    public required string Session { get; init; }

    /// <summary>The last sequence number the writer knows. Another one in the log means another owner.</summary>
    public required long ExpectedSeq { get; init; }

    /// <summary>Numbered from <see cref="ExpectedSeq"/> + 1.</summary>
    public required IReadOnlyList<LogEntry> Entries { get; init; }

    /// <summary>The session's row as these entries leave it; null keeps it.</summary>
    public SessionSave? Save { get; init; }

    /// <summary>Rows of threads as these entries leave them.</summary>
    public IReadOnlyList<ThreadRow> Threads { get; init; } = [];

    /// <summary>Copied from elsewhere, so that nothing of it happens now: readers are not woken for it.</summary>
    public bool IsHistory { get; init; }

    /// <summary>Deletes every earlier entry of the session: the last act of a deletion.</summary>
    public bool Purge { get; init; }
}

/// <summary>How to save a session's row: insert it, update its state, or update its definition too.</summary>
public sealed record SessionSave(SessionRow Row, SaveKind Kind);

public enum SaveKind
{
    State,
    Definition,
    Insert,
}

/// <summary>Someone else appended to the session: this owner must stop and read the log again.</summary>
public sealed class SequenceConflictException(string session, long expected, long actual)
    : Exception($"The log of {session} is at {actual}, not at {expected}: another owner has written to it.");

/// <summary>Another process on the same database owns the sessions; nothing was written.</summary>
public sealed class NotOwnerException() : Exception("Another process on this database owns the sessions.");

/// <summary>The log cannot take more now; nothing was written.</summary>
public sealed class LogUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Which entries to list, in which order.</summary>
public sealed record LogQuery
{
    public required string Session { get; init; }

    /// <summary>Only what this thread's own stream shows.</summary>
    public required string Thread { get; init; }

    public bool Descending { get; init; }

    /// <summary>
    /// Start after this sequence number (before it when descending); null starts at the end concerned.
    /// </summary>
    public long? After { get; init; }

    public required int Limit { get; init; }

    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Bounds on <see cref="LogEntry.At"/>, inclusive, in Unix microseconds.</summary>
    public long? From { get; init; }

    public long? To { get; init; }
}
