using System.Buffers;
using Tenon.Server.Storage;

namespace Tenon.Server.Events;

/// <summary>
/// A session's events as server-sent events (api D): headers at once, then every public entry from the cursor on, each
/// with its sequence number as <c>id</c>, previews between them for who asked, and a comment when nothing happens.
/// </summary>
/// <remarks>
/// The framework's own result sends no header before the first item and has no comments to keep a line open.
/// </remarks>
public sealed class EventStream(EventLog log, Feed feed, TimeProvider clock, string session) : IResult
{
    /// <summary>Under the idle time-out of common proxies (30 to 60 s).</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    private const int PageMax = 200;

    /// <summary>The thread whose stream it is; that of the primary thread is the session's.</summary>
    public required string Thread { get; init; }

    /// <summary>Resume after this sequence number; null opens at the present.</summary>
    public long? After { get; init; }

    /// <summary>It is not the primary thread, so that it may end before its session does, and the stream with it.
    /// </summary>
    public bool EndsWithThread { get; init; }

    /// <summary>Event types whose previews are wanted.</summary>
    public IReadOnlySet<string> PreviewTypes { get; init; } = new HashSet<string>();

    /// <summary>The session has ended: the stream closes once everything is sent.</summary>
    public bool IsOver { get; init; }

    private readonly HashSet<string> _openPreviews = [];
    private long _lastRequestEnd;
    private FeedReader? _reader;
    private volatile bool _isBeat;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        // A stopping server waits for its requests to end, and this one has no end of its own.
        var stopping = httpContext.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, stopping);
        var cancellationToken = over.Token;
        var response = httpContext.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        var head = After ?? await log.Head(session, cancellationToken);
        var reader = feed.Subscribe(session, After, head, PreviewTypes, EndsWithThread ? Thread : null);
        try
        {
            await response.StartAsync(cancellationToken);
            await response.BodyWriter.FlushAsync(cancellationToken);
            await Run(reader, response, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The client has gone, or the server stops: a stream has no other end to tell anyone about.
        }
        finally
        {
            feed.Unsubscribe(session, reader);
        }
    }

    private async Task Run(FeedReader reader, HttpResponse response, CancellationToken cancellationToken)
    {
        var output = response.BodyWriter;
        using var timer = clock.CreateTimer(
            static stream => ((EventStream)stream!).Beat(), this, Heartbeat, Heartbeat);
        _reader = reader;
        await using var end = cancellationToken.UnsafeRegister(
            static reader => ((FeedReader)reader!).Wake(), reader);
        while (!cancellationToken.IsCancellationRequested)
        {
            var (wrote, last) = await TryWrite(reader, output, cancellationToken);
            if (wrote || TakesBeat(output))
            {
                await output.FlushAsync(cancellationToken);
            }

            if (last || (IsOver && !wrote))
            {
                return;
            }

            if (!wrote)
            {
                await reader.WhenCalled();
            }
        }
    }

    private void Beat()
    {
        _isBeat = true;
        _reader?.Wake();
    }

    private bool TakesBeat(IBufferWriter<byte> output)
    {
        if (!_isBeat)
        {
            return false;
        }

        _isBeat = false;
        output.Write(": keep-alive\n\n"u8);
        return true;
    }

    private async ValueTask<(bool Wrote, bool Last)> TryWrite(
        FeedReader reader, IBufferWriter<byte> output, CancellationToken cancellationToken)
    {
        try
        {
            return await Write(reader, output, cancellationToken);
        }
        catch (Exception exception) when (DatabaseFault.IsOutage(exception))
        {
            // The stream outlasts it: the wake-up when the database is back, or the next heartbeat, reads again.
            return (false, false);
        }
        catch (Exception exception) when (DatabaseFault.IsDamage(exception))
        {
            // There is nothing to wait for: the stream ends as if all were sent, and its client asks again.
            return (false, true);
        }
    }

    /// <summary>
    /// Writes what is there: entries first where a preview stands behind them. Says whether the stream ends.
    /// </summary>
    private async ValueTask<(bool Wrote, bool Last)> Write(
        FeedReader reader, IBufferWriter<byte> output, CancellationToken cancellationToken)
    {
        var before = reader.Cursor;
        var frames = reader.TryRead(PageMax) ?? [
            .. (await log.ReadAll(session, before, PageMax, cancellationToken)).Select(entry => new Frame(entry))];
        foreach (var frame in frames)
        {
            var entry = frame.Entry;

            // A preview that was made before this entry goes first, unless its event is already whole.
            WritePreviews(reader, output);
            reader.Cursor = entry.Seq;
            if (entry.Thread != Thread && entry.Type is "session.deleted" or "session.status_terminated")
            {
                return (reader.Cursor != before, true);
            }

            if (entry.Internal || entry.Thread != Thread)
            {
                continue;
            }

            frame.WriteTo(output);
            if (entry.Type is "agent.message" or "span.model_request_end")
            {
                _lastRequestEnd = entry.Seq;
                _openPreviews.Clear();
            }

            if (entry.Type is "session.deleted" or "session.status_terminated"
                || (EndsWithThread && entry.Type == "session.thread_status_terminated"))
            {
                return (true, true);
            }
        }

        return (WritePreviews(reader, output) || reader.Cursor != before, false);
    }

    private bool WritePreviews(FeedReader reader, IBufferWriter<byte> output)
    {
        var wrote = false;
        for (var taken = 0; taken < PageMax; taken++)
        {
            if (reader.NextPreview is not { } preview || preview.AfterSeq > reader.Cursor)
            {
                break;
            }

            reader.DropPreview();
            var isStart = preview.Name == "event_start";
            var stale = preview.AfterSeq < _lastRequestEnd;
            if (stale || !(isStart ? _openPreviews.Add(preview.EventId) : _openPreviews.Contains(preview.EventId)))
            {
                continue;
            }

            Frame.Write(output, preview.Name, preview.Body);
            wrote = true;
        }

        return wrote;
    }
}
