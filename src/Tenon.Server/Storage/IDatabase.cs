using Microsoft.EntityFrameworkCore;

namespace Tenon.Server.Storage;

/// <summary>The database of one installation: its tables for the stores, and its log.</summary>
public interface IDatabase : IDbContextFactory<TenonContext>
{
    IEventLog Log { get; }

    /// <summary>Creates or upgrades the tables. Safe to call at every start.</summary>
    void Migrate();

    /// <summary>
    /// Tells what other processes do to the database, and whether this one owns the sessions. Until it is called this
    /// process owns nothing that another could. It ends when it is cancelled or there is nothing more to tell.
    /// </summary>
    /// <param name="tell">Called with one piece of news after the other. What it throws ends the connection, which
    /// is then made anew.</param>
    Task Follow(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken);

    /// <summary>Asks the database for a sign of life.</summary>
    /// <exception cref="System.Data.Common.DbException">It gives none.</exception>
    Task Check(CancellationToken cancellationToken);

    /// <summary>Tells all other processes on the database that environments have changed.</summary>
    Task TellEnvironmentsChanged(CancellationToken cancellationToken);

    /// <summary>
    /// Something was lost to a fault of the database: once it takes entries (again), <see cref="Owned"/> is told anew.
    /// </summary>
    void Report(Exception fault);
}

/// <summary>What a process hears from its database.</summary>
public abstract record DatabaseNews;

/// <summary>
/// The sessions are this process's: for the first time, or still after an interruption that may have cut turns short.
/// </summary>
public sealed record Owned : DatabaseNews;

/// <summary>Another process owns the sessions.</summary>
public sealed record Standby : DatabaseNews;

/// <summary>Another process owns what this one did: what is in its memory is past.</summary>
public sealed record Superseded : DatabaseNews;

/// <summary>The database is away, or what was to be done about its last news failed.</summary>
public sealed record Disconnected(Exception Cause) : DatabaseNews;

/// <summary>News can be heard from now on, and some may have been missed before.</summary>
public sealed record Connected : DatabaseNews;

/// <summary>Another process has appended to these sessions.</summary>
public sealed record Appended(IReadOnlyList<string> Sessions) : DatabaseNews;

/// <summary>Another process has changed an environment.</summary>
public sealed record EnvironmentsChanged : DatabaseNews;

/// <summary>
/// The log as a database keeps it. One caller writes, a batch at a time; any number of callers read. Grouping appends,
/// their order and telling readers are the same for every database and stand above it.
/// </summary>
public interface IEventLog
{
    /// <summary>
    /// Whether this process may append and run sessions. Of all processes on one database, one at a time may.
    /// </summary>
    bool IsOwner { get; }

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
