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
    private readonly List<Frame> _tail = [];
    private long _last;
    private Turn? _turn;
    private int _holds;
    private bool _closed;

    /// <summary>
    /// Readers that go on one after the other in one place. A call of its own for each would cost more than what it
    /// sends, and with so few in a place all processors have some.
    /// </summary>
    private const int CallMax = 256;

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
            _tail.AddRange(entries.Select(entry => new Frame(entry)));
            if (_tail.Count >= TailMin * 2)
            {
                _tail.RemoveRange(0, _tail.Count - TailMin);
            }

            var ended = Follow(entries, now);
            Call(static (reader, _) => reader.Call(), 0);
            return ended;
        }
    }

    /// <summary>The tail is behind: readers turn to the database.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _tail.Clear();
            Call(static (reader, _) => reader.Call(), 0);
        }
    }

    public void Publish(Preview preview)
    {
        lock (_lock)
        {
            Call(static (reader, offered) => reader.Offer(offered), preview);
        }
    }

    public void Add(FeedReader reader, long? after, long head, DateTimeOffset now)
    {
        lock (_lock)
        {
            var unseen = _turn is { Seen: false } turn && !turn.IsOver(now)
                && !_readers.Exists(other => other.Thread is null);
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
            if (_turn is { } turn && reader.Thread is null && reader.Cursor >= turn.FirstSeq)
            {
                turn.Seen = true;
            }
        }
    }

    /// <summary>Recent entries, or null when the log must be read.</summary>
    public Frame[]? TryRead(long afterSeq, int limit)
    {
        lock (_lock)
        {
            // Sequence numbers have no gaps, so a reader's place is found without a search.
            var place = _tail.Count == 0 ? -1 : afterSeq + 1 - _tail[0].Entry.Seq;
            if (place < 0 || place >= _tail.Count)
            {
                return place < 0 ? null : [];
            }

            var frames = new Frame[Math.Min(limit, _tail.Count - place)];
            _tail.CopyTo((int)place, frames, 0, frames.Length);
            if (_readers.Count > 1)
            {
                Array.ForEach(frames, frame => frame.Share());
            }

            return frames;
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

    // Those that sleep go on elsewhere: who publishes is the writer of all logs, and previews come from a turn.
    private void Call<T>(Func<FeedReader, T, bool> call, T argument)
    {
        List<FeedReader>? called = null;
        foreach (var reader in _readers)
        {
            if (call(reader, argument))
            {
                (called ??= new List<FeedReader>(Math.Min(CallMax, _readers.Count))).Add(reader);
            }

            if (called?.Count == CallMax)
            {
                GoOn(called);
                called = null;
            }
        }

        if (called is not null)
        {
            GoOn(called);
        }
    }

    private static void GoOn(List<FeedReader> called) => ThreadPool.UnsafeQueueUserWorkItem(
        static readers => readers.ForEach(reader => reader.GoOn()), called, preferLocal: false);

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
