using Microsoft.EntityFrameworkCore;

namespace Tenon.Server.Storage;

/// <summary>The database of one installation: its tables for the stores, and its log.</summary>
public interface IDatabase : IDbContextFactory<TenonContext>
{
    IEventLog Log { get; }

    /// <summary>Creates or upgrades the tables. Safe to call at every start.</summary>
    void Migrate();
}

/// <summary>
/// The log as a database keeps it. One caller writes, a batch at a time; any number of callers read. Grouping appends,
/// their order and telling readers are the same for every database and stand above it.
/// </summary>
public interface IEventLog
{
    /// <summary>
    /// Writes the appends in one transaction, durable when this completes. An append whose expected sequence is wrong
    /// is left out and its conflict returned at its place; a database error leaves out all of them and is thrown.
    /// </summary>
    Task<IReadOnlyList<SequenceConflictException?>> Write(IReadOnlyList<LogAppend> batch);

    /// <summary>Every entry after <paramref name="afterSeq"/>, internal ones included, oldest first.</summary>
    Task<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken);

    /// <summary>The last sequence number of the session; 0 for an empty log.</summary>
    Task<long> Head(string session, CancellationToken cancellationToken);

    /// <summary>
    /// The public entries that a query names. Of several states of one event only the newest is listed.
    /// </summary>
    Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken);
}

/// <summary>Unix microseconds, the unit of every time in the database and in the log.</summary>
public static class Microseconds
{
    public static long ToMicroseconds(this DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / 10;

    public static DateTimeOffset FromMicroseconds(long microseconds) =>
        DateTimeOffset.UnixEpoch.AddTicks(microseconds * 10);
}
