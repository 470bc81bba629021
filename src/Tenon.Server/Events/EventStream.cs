using System.Buffers;
using System.Text;
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

    /// <summary>Resume after this sequence number; null opens at the present.</summary>
    public long? After { get; init; }

    /// <summary>Event types whose previews are wanted.</summary>
    public IReadOnlySet<string> PreviewTypes { get; init; } = new HashSet<string>();

    /// <summary>The session has ended: the stream closes once everything is sent.</summary>
    public bool IsOver { get; init; }

    private readonly HashSet<string> _openPreviews = [];
    private long _lastRequestEnd;

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
        var reader = feed.Subscribe(session, After, head, PreviewTypes);
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
        using var timer = new PeriodicTimer(Heartbeat, clock);
        var tick = timer.WaitForNextTickAsync(cancellationToken).AsTask();
        var wake = reader.Wait(cancellationToken);
        while (true)
        {
            var (wrote, last) = await TryWrite(reader, response.BodyWriter, cancellationToken);
            if (wrote)
            {
                await response.BodyWriter.FlushAsync(cancellationToken);
            }

            if (last || (IsOver && !wrote))
            {
                return;
            }

            if (wrote)
            {
                continue;
            }

            if (await Task.WhenAny(wake, tick) == tick)
            {
                await tick;
                tick = timer.WaitForNextTickAsync(cancellationToken).AsTask();
                response.BodyWriter.Write(": keep-alive\n\n"u8);
                await response.BodyWriter.FlushAsync(cancellationToken);
            }
            else
            {
                await wake;
                wake = reader.Wait(cancellationToken);
            }
        }
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
        foreach (var entry in await log.ReadAll(session, reader.Cursor, PageMax, cancellationToken))
        {
            // A preview that was made before this entry goes first, unless its event is already whole.
            WritePreviews(reader, output);
            reader.Cursor = entry.Seq;
            if (entry.Internal)
            {
                continue;
            }

            WriteFrame(output, entry.Seq, entry.Type, entry.Body);
            if (entry.Type is "agent.message" or "span.model_request_end")
            {
                _lastRequestEnd = entry.Seq;
                _openPreviews.Clear();
            }

            if (entry.Type is "session.deleted" or "session.status_terminated")
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
            if (!reader.Previews.TryPeek(out var preview) || preview.AfterSeq > reader.Cursor)
            {
                break;
            }

            reader.Previews.TryRead(out _);
            var isStart = preview.Name == "event_start";
            var stale = preview.AfterSeq < _lastRequestEnd;
            if (stale || !(isStart ? _openPreviews.Add(preview.EventId) : _openPreviews.Contains(preview.EventId)))
            {
                continue;
            }

            WriteFrame(output, null, preview.Name, preview.Body);
            wrote = true;
        }

        return wrote;
    }

    private static void WriteFrame(IBufferWriter<byte> output, long? id, string name, string body)
    {
        if (id is { } seq)
        {
            Encoding.UTF8.GetBytes($"id: {seq}\n", output);
        }

        Encoding.UTF8.GetBytes($"event: {name}\ndata: ", output);
        Encoding.UTF8.GetBytes(body, output);
        output.Write("\n\n"u8);
    }
}
