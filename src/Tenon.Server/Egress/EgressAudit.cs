using System.Threading.Channels;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>
/// Writes down every request: when it is decided, and again when it has ended. Waiting lines share a transaction. A
/// database that is away is tried again; when too many lines wait, requests wait too, so that none goes unwritten.
/// </summary>
public sealed partial class EgressAudit : IAsyncDisposable
{
    private const int WaitingMax = 4_096;
    private const int BatchMax = 256;
    private const int LinesBetweenTrims = 1_000;
    private static readonly TimeSpan RetryPause = TimeSpan.FromSeconds(1);

    /// <summary>So long lines wait for others: most requests end within it, and become one row at once.</summary>
    private static readonly TimeSpan GatherTime = TimeSpan.FromMilliseconds(50);

    private readonly EgressStore _store;
    private readonly ILogger<EgressAudit> _logger;
    private readonly Channel<Line> _waiting = Channel.CreateBounded<Line>(
        new BoundedChannelOptions(WaitingMax) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _writer;
    private TaskCompletionSource _hurry = NewSignal();
    private int _hurried;

    public EgressAudit(EgressStore store, TimeProvider time, ILogger<EgressAudit> logger)
    {
        (_store, _logger) = (store, logger);
        _writer = Task.Run(() => WriteLoop(time));
    }

    /// <summary>Takes the line; it is written soon.</summary>
    public ValueTask Note(EgressRequest request, CancellationToken cancellationToken)
    {
        if (request is { Verdict: "refused", EndedAt: not null })
        {
            LogRefused(request.SessionId, request.Method, request.Host, request.Port, request.Reason);
        }

        return _waiting.Writer.WriteAsync(new Line(request, null), cancellationToken);
    }

    /// <summary>Completes when all that was noted before is written.</summary>
    public async Task Written(CancellationToken cancellationToken)
    {
        var written = NewSignal();
        Interlocked.Increment(ref _hurried);
        try
        {
            await _waiting.Writer.WriteAsync(new Line(null, written), cancellationToken);
            Volatile.Read(ref _hurry).TrySetResult();
            await written.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _hurried);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // What waits is written, unless the database is away.
        Interlocked.Increment(ref _hurried);
        _waiting.Writer.TryComplete();
        Volatile.Read(ref _hurry).TrySetResult();
        _stop.CancelAfter(RetryPause);
        await _writer;
        _stop.Dispose();
    }

    private async Task WriteLoop(TimeProvider time)
    {
        while (await _waiting.Reader.WaitToReadAsync())
        {
            await Gather(time);
            var batch = new Dictionary<string, EgressRequest>(StringComparer.Ordinal);
            var readers = new List<TaskCompletionSource>();
            while (batch.Count < BatchMax && _waiting.Reader.TryRead(out var line))
            {
                if (line.Request is { } request)
                {
                    batch[request.Id] = request;
                }

                if (line.Written is { } written)
                {
                    readers.Add(written);
                }
            }

            while (!await TrySave([.. batch.Values]))
            {
                try
                {
                    await Task.Delay(RetryPause, time, _stop.Token);
                }
                catch (OperationCanceledException)
                {
                    // The server stops without its database.
                    return;
                }
            }

            readers.ForEach(reader => reader.SetResult());
        }
    }

    private async Task Gather(TimeProvider time)
    {
        // Who hurries is counted first and signals last, so that one of the two is seen here.
        var hurry = NewSignal();
        Volatile.Write(ref _hurry, hurry);
        if (Volatile.Read(ref _hurried) == 0 && _waiting.Reader.Count < BatchMax)
        {
            using var rest = new CancellationTokenSource();
            await Task.WhenAny(hurry.Task, Task.Delay(GatherTime, time, rest.Token));
            await rest.CancelAsync();
        }
    }

    private async Task<bool> TrySave(List<EgressRequest> requests)
    {
        try
        {
            await _store.Save(requests, CancellationToken.None);
            foreach (var session in requests.Select(request => request.SessionId))
            {
                _lines[session] = _lines.GetValueOrDefault(session) + 1;
                if (_lines[session] >= LinesBetweenTrims)
                {
                    _lines.Remove(session);
                    await _store.Trim(session, CancellationToken.None);
                }
            }

            return true;
        }
        catch (Exception exception)
        {
            // Whatever the database says, the lines wait for it.
            LogNotWritten(requests.Count, exception);
            return false;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="Written">Somebody waits for all lines before it.</param>
    private readonly record struct Line(EgressRequest? Request, TaskCompletionSource? Written);

    [LoggerMessage(LogLevel.Information, "{SessionId} was refused {Method} {Host}:{Port}: {Reason}")]
    private partial void LogRefused(string sessionId, string method, string host, int port, string? reason);

    [LoggerMessage(LogLevel.Error, "{Count} lines of the egress audit were not written and are tried again")]
    private partial void LogNotWritten(int count, Exception exception);
}
