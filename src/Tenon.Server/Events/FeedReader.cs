using System.Threading.Channels;
using System.Threading.Tasks.Sources;

namespace Tenon.Server.Events;

/// <summary>Part of an event that is still being made. Never stored.</summary>
/// <param name="Thread">The thread beside the primary one that makes it; null for that.</param>
/// <param name="AfterSeq">The log's end when it was made: what stands before it must be sent before it.</param>
/// <param name="EventType"><c>agent.message</c> or <c>agent.thinking</c>.</param>
/// <param name="Name"><c>event_start</c> or <c>event_delta</c>.</param>
/// <param name="Body">Its wire JSON.</param>
public sealed record Preview(
    string? Thread, long AfterSeq, string EventId, string EventType, string Name, string Body);

/// <summary>
/// One stream's place in the log, its wake-up call and its previews. Only the stream moves the cursor, and waits.
/// </summary>
public sealed class FeedReader : IValueTaskSource
{
    /// <summary>
    /// Previews that may wait for a slow client. Beyond it the rest of that event's previews are dropped.
    /// </summary>
    private const int PreviewsMax = 1_024;

    private const int Awake = 0;
    private const int Called = 1;
    private const int Asleep = 2;

    private readonly IReadOnlySet<string> _previewTypes;
    private readonly SessionFeed _feed;

    // Most streams want none, and there may be ten thousand of them.
    private readonly Channel<Preview>? _previews;

    private ManualResetValueTaskSourceCore<bool> _sleep;
    private int _state = Awake;
    private string? _shedEventId;

    internal FeedReader(SessionFeed feed, string? thread, IReadOnlySet<string> previewTypes)
    {
        (_feed, Thread, _previewTypes) = (feed, thread, previewTypes);
        _previews = previewTypes.Count > 0 ? Channel.CreateBounded<Preview>(PreviewsMax) : null;
    }

    /// <summary>The thread beside the primary one that is read; null for the session's own stream.</summary>
    public string? Thread { get; }

    /// <summary>The last sequence number that was sent.</summary>
    public long Cursor { get; set; }

    /// <summary>The next preview, if there is one; <see cref="DropPreview"/> goes on to the one after it.</summary>
    internal Preview? NextPreview => _previews is not null && _previews.Reader.TryPeek(out var next) ? next : null;

    internal void DropPreview() => _previews?.Reader.TryRead(out _);

    /// <summary>Entries after the cursor from memory, or null when the log must be read.</summary>
    internal Frame[]? TryRead(int limit) => _feed.TryRead(Cursor, limit);

    /// <summary>Completes when there may be more to read. It goes on where it is called to.</summary>
    internal ValueTask WhenCalled()
    {
        _sleep.Reset();
        if (Interlocked.CompareExchange(ref _state, Asleep, Awake) == Awake)
        {
            return new ValueTask(this, _sleep.Version);
        }

        // It was called since it last looked.
        Volatile.Write(ref _state, Awake);
        return ValueTask.CompletedTask;
    }

    /// <summary>Whether it slept: whoever is told so must call <see cref="GoOn"/>, which nobody else does.</summary>
    internal bool Call()
    {
        while (true)
        {
            switch (Interlocked.CompareExchange(ref _state, Called, Awake))
            {
                case Asleep when Interlocked.CompareExchange(ref _state, Awake, Asleep) == Asleep:
                    return true;
                case Asleep:
                    continue;
                default:
                    return false;
            }
        }
    }

    /// <summary>Lets it go on in this place, until it sleeps again or waits for its client.</summary>
    internal void GoOn() => _sleep.SetResult(true);

    /// <summary>Calls it, and lets it go on elsewhere.</summary>
    internal void Wake()
    {
        if (Call())
        {
            ThreadPool.UnsafeQueueUserWorkItem(static reader => reader.GoOn(), this, preferLocal: false);
        }
    }

    /// <summary>Passes a preview on if it is wanted, and says as <see cref="Call"/> whether it slept.</summary>
    internal bool Offer(Preview preview)
    {
        if (!_previewTypes.Contains(preview.EventType) || preview.EventId == _shedEventId
            || Thread != preview.Thread)
        {
            return false;
        }

        if (!_previews!.Writer.TryWrite(preview))
        {
            // What was sent stays a prefix of the whole text, so nothing of this event may follow a gap.
            _shedEventId = preview.EventId;
        }

        return Call();
    }

    void IValueTaskSource.GetResult(short token) => _sleep.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _sleep.GetStatus(token);

    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _sleep.OnCompleted(continuation, state, token, flags);
}
