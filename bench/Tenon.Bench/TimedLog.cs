using System.Diagnostics;
using Tenon.Server.Storage;

namespace Tenon.Bench;

/// <summary>The database's log, with a clock at the moment from which an append is durable.</summary>
internal sealed class TimedLog(IEventLog log) : IEventLog
{
    private long _durableAt;

    /// <summary>Of the newest append (<see cref="Stopwatch.GetTimestamp"/>).</summary>
    public long DurableAt => Volatile.Read(ref _durableAt);

    public bool IsOwner => log.IsOwner;

    public async Task<IReadOnlyList<SequenceConflictException?>> Write(IReadOnlyList<LogAppend> batch)
    {
        var conflicts = await log.Write(batch);
        Volatile.Write(ref _durableAt, Stopwatch.GetTimestamp());
        return conflicts;
    }

    public Task<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken) =>
        log.ReadAll(session, afterSeq, limit, cancellationToken);

    public Task<long> Head(string session, CancellationToken cancellationToken) =>
        log.Head(session, cancellationToken);

    public Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken) =>
        log.List(query, cancellationToken);
}
