using System.Threading.Channels;
using Tenon.Server.Storage;

namespace Tenon.Server.Events;

/// <summary>
/// One session's readers, recent entries, and whether its present turn has been seen. All under one lock.
/// </summary>
internal sealed class SessionFeed
{
    /// <summary>
    /// Entries kept for readers that are nearly up to date, at least; the others read the database. Twice as many are
    /// held before the older half goes, so that none is moved for each that comes.
    /// </summary>
    private const int TailMin = 256;

    private readonly Lock _lock = new();
    private readonly List<FeedReader> _readers = [];
    private readonly List<LogEntry> _tail = [];
    private long _last;
    private Turn? _turn;
    private int _holds;
    private bool _closed;

    /// <summary>Returns whether these entries ended a turn that nobody has seen.</summary>
    public bool Publish(IReadOnlyList<LogEntry> entries, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (_tail.Count > 0 && _last + 1 != entries[0].Seq)
            {
                // Another process wrote what is missing here.
                _tail.Clear();
            }

            _last = entries[^1].Seq;
            _tail.AddRange(entries);
            if (_tail.Count >= TailMin * 2)
            {
                _tail.RemoveRange(0, _tail.Count - TailMin);
            }

            var ended = Follow(entries, now);
            _readers.ForEach(reader => reader.Wake());
            return ended;
        }
    }

    /// <summary>The tail is behind: readers turn to the database.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _tail.Clear();
            _readers.ForEach(reader => reader.Wake());
        }
    }

    public void Publish(Preview preview)
    {
        lock (_lock)
        {
            _readers.ForEach(reader => reader.Offer(preview));
        }
    }

    public void Add(FeedReader reader, long? after, long head, DateTimeOffset now)
    {
        lock (_lock)
        {
            var unseen = _turn is { Seen: false } turn && _readers.Count == 0 && !turn.IsOver(now);
            reader.Cursor = after ?? (unseen ? _turn!.FirstSeq - 1 : head);
            if (after is null && unseen)
            {
                _turn!.Seen = true;
            }

            _readers.Add(reader);
        }
    }

    public void Remove(FeedReader reader)
    {
        lock (_lock)
        {
            _readers.Remove(reader);
            if (_turn is { } turn && reader.Cursor >= turn.FirstSeq)
            {
                turn.Seen = true;
            }
        }
    }

    public IReadOnlyList<LogEntry>? TryRead(long afterSeq, int limit)
    {
        lock (_lock)
        {
            // Sequence numbers have no gaps, so a reader's place is found without a search.
            var place = _tail.Count == 0 ? -1 : afterSeq + 1 - _tail[0].Seq;
            return place < 0 ? null
                : place >= _tail.Count ? []
                : _tail.GetRange((int)place, (int)Math.Min(limit, _tail.Count - place));
        }
    }

    public bool TryHold()
    {
        lock (_lock)
        {
            _holds += _closed ? 0 : 1;
            return !_closed;
        }
    }

    public void Unhold()
    {
        lock (_lock)
        {
            _holds--;
        }
    }

    /// <summary>Closes it for good when nobody reads, and no turn runs or is left to be seen.</summary>
    public bool TryClose(DateTimeOffset now)
    {
        lock (_lock)
        {
            var idle = _holds == 0 && _readers.Count == 0;
            _closed |= idle && (_turn is null or { Seen: true, EndedAt: not null } || _turn.IsOver(now));
            return _closed;
        }
    }

    private bool Follow(IReadOnlyList<LogEntry> entries, DateTimeOffset now)
    {
        var ended = false;
        foreach (var entry in entries)
        {
            if (entry.Type == "session.status_running" && _turn is not { EndedAt: null })
            {
                // The turn begins with the message that started it, which stands in the same append.
                _turn = new Turn(entries[0].Seq);
            }
            else if (entry.Type is "session.status_idle" or "session.status_terminated" or "session.deleted")
            {
                _turn ??= new Turn(entry.Seq) { Seen = true };
                _turn.EndedAt = now;
                ended = !_turn.Seen;
            }
        }

        return ended;
    }

    private sealed class Turn(long firstSeq)
    {
        public long FirstSeq => firstSeq;

        public DateTimeOffset? EndedAt { get; set; }

        public bool Seen { get; set; }

        public bool IsOver(DateTimeOffset now) => EndedAt is { } end && now - end > Feed.ReplayAfterEnd;
    }
}

/// <summary>Part of an event that is still being made. Never stored.</summary>
/// <param name="AfterSeq">The log's end when it was made: what stands before it must be sent before it.</param>
/// <param name="EventType"><c>agent.message</c> or <c>agent.thinking</c>.</param>
/// <param name="Name"><c>event_start</c> or <c>event_delta</c>.</param>
/// <param name="Body">Its wire JSON.</param>
public sealed record Preview(long AfterSeq, string EventId, string EventType, string Name, string Body);

/// <summary>
/// One stream's place in the log, its wake-up call and its previews. Only the stream moves the cursor.
/// </summary>
public sealed class FeedReader(IReadOnlySet<string> previewTypes)
{
    /// <summary>
    /// Previews that may wait for a slow client. Beyond it the rest of that event's previews are dropped.
    /// </summary>
    private const int PreviewsMax = 1_024;

    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly Channel<Preview> _previews = Channel.CreateBounded<Preview>(PreviewsMax);
    private string? _shedEventId;

    /// <summary>The last sequence number that was sent.</summary>
    public long Cursor { get; set; }

    internal ChannelReader<Preview> Previews => _previews.Reader;

    internal void Wake() => _wake.Writer.TryWrite(true);

    internal void Offer(Preview preview)
    {
        if (!previewTypes.Contains(preview.EventType) || preview.EventId == _shedEventId)
        {
            return;
        }

        if (!_previews.Writer.TryWrite(preview))
        {
            // What was sent stays a prefix of the whole text, so nothing of this event may follow a gap.
            _shedEventId = preview.EventId;
        }

        Wake();
    }

    /// <summary>Completes when there may be more to read.</summary>
    internal async Task Wait(CancellationToken cancellationToken) => await _wake.Reader.ReadAsync(cancellationToken);
}
