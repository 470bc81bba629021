using System.Threading.Channels;
using Tenon.Server.Storage;

namespace Tenon.Server.Events;

/// <summary>
/// The log of every session. Appends of all sessions that wait at the same time share one transaction and one
/// flush, so that full durability costs a flush per batch and not per event.
/// </summary>
/// <remarks>
/// Appends are durable in the order in which <see cref="Append"/> was called, so a caller may issue several without
/// waiting between them: a crash leaves a prefix. Readers are told through the <see cref="Feed"/> after the flush.
/// </remarks>
public sealed partial class EventLog : IAsyncDisposable
{
    /// <summary>
    /// Appends that may wait. Far above what a disk takes in a second, so it is only full when the disk stands.
    /// </summary>
    private const int WaitingMax = 16_384;

    /// <summary>Appends in one transaction: bounds the memory of a batch and how long the first of it waits.</summary>
    private const int BatchMax = 512;

    private readonly IEventLog _table;
    private readonly Feed _feed;
    private readonly ILogger<EventLog> _logger;
    private readonly Channel<Pending> _waiting = Channel.CreateBounded<Pending>(
        new BoundedChannelOptions(WaitingMax) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly Task _writer;

    public EventLog(IEventLog table, Feed feed, ILogger<EventLog> logger)
        : this(table, feed, logger, TaskScheduler.Default)
    {
    }

    /// <param name="scheduler">Where the writer runs.</param>
    internal EventLog(IEventLog table, Feed feed, ILogger<EventLog> logger, TaskScheduler scheduler)
    {
        (_table, _feed, _logger) = (table, feed, logger);
        _writer = Task.Factory.StartNew(
            WriteLoop, CancellationToken.None, TaskCreationOptions.LongRunning, scheduler).Unwrap();
    }

    /// <summary>Turns away what only the owner of the sessions may do.</summary>
    /// <exception cref="NotOwnerException">Another process is the owner.</exception>
    public void RefuseStandby()
    {
        if (!_table.IsOwner)
        {
            throw new NotOwnerException();
        }
    }

    /// <summary>Completes when the entries are durable. All of them are, or none.</summary>
    /// <exception cref="NotOwnerException">Another process on the database is the owner.</exception>
    /// <exception cref="SequenceConflictException">Another owner has appended to the session.</exception>
    /// <exception cref="LogUnavailableException">The database failed, or too many appends wait.</exception>
    public Task Append(LogAppend append)
    {
        RefuseStandby();
        var pending = new Pending(append);
        if (!_waiting.Writer.TryWrite(pending))
        {
            throw new LogUnavailableException(
                $"More than {WaitingMax} appends wait for the database; try again later.");
        }

        return pending.Done.Task;
    }

    /// <summary>Entries after <paramref name="afterSeq"/>, internal ones included, oldest first.</summary>
    public async ValueTask<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken) =>
        _feed.TryRead(session, afterSeq, limit)
        ?? await _table.ReadAll(session, afterSeq, limit, cancellationToken);

    /// <summary>The last sequence number of the session; 0 for an empty log.</summary>
    public Task<long> Head(string session, CancellationToken cancellationToken) =>
        _table.Head(session, cancellationToken);

    /// <summary>What clients see of the log: public entries, each event in its newest state.</summary>
    public Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken) =>
        _table.List(query, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _writer;
    }

    private async Task WriteLoop()
    {
        var batch = new List<Pending>(BatchMax);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (batch.Count < BatchMax && _waiting.Reader.TryRead(out var pending))
            {
                batch.Add(pending);
            }

            await Write(batch);
        }
    }

    private async Task Write(List<Pending> batch)
    {
        IReadOnlyList<SequenceConflictException?> conflicts;
        try
        {
            conflicts = await _table.Write(batch.ConvertAll(pending => pending.Append));
        }
        catch (Exception exception)
        {
            // Whatever the database says, nothing of this batch was written, and each caller must know.
            LogFailed(batch.Count, exception);
            var failure = new LogUnavailableException(
                "The database did not take the events: " + exception.Message, exception);
            batch.ForEach(pending => pending.Done.SetException(failure));
            return;
        }

        for (var i = 0; i < batch.Count; i++)
        {
            if (conflicts[i] is { } conflict)
            {
                batch[i].Done.SetException(conflict);
                continue;
            }

            if (!batch[i].Append.IsHistory)
            {
                _feed.Publish(batch[i].Append.Session, batch[i].Append.Entries);
            }

            batch[i].Done.SetResult();
        }
    }

    [LoggerMessage(LogLevel.Error, "A batch of {Count} appends was not written")]
    private partial void LogFailed(int count, Exception exception);

    private sealed record Pending(LogAppend Append)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
