using System.Collections.Concurrent;
using Tenon.Server.Storage;

namespace Tenon.Server.Events;

/// <summary>
/// Tells readers that a session's log has grown, and passes previews on. It holds nothing that matters: a reader
/// reads the log from its own cursor, so a slow one loses nothing and holds nobody.
/// </summary>
/// <remarks>
/// It also knows which turn nobody has seen. Clients may send first and open a stream after, so a turn that began
/// without a reader is replayed to the first stream that opens while it runs or shortly after, and to no other.
/// </remarks>
public sealed class Feed(TimeProvider clock)
{
    /// <summary>How long after its end an unseen turn is still replayed.</summary>
    public static readonly TimeSpan ReplayAfterEnd = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, SessionFeed> _sessions = new(StringComparer.Ordinal);

    // Sessions whose last turn has ended, oldest first, so that they can be let go without a scan.
    private readonly ConcurrentQueue<(string Session, DateTimeOffset EndedAt)> _ended = new();

    /// <summary>Called by the log's writer alone, after the flush, in order.</summary>
    internal void Publish(string session, IReadOnlyList<LogEntry> entries)
    {
        if (entries.Count == 0)
        {
            return;
        }

        var now = clock.GetUtcNow();
        using (var held = Hold(session))
        {
            if (held.Feed.Publish(entries, now))
            {
                _ended.Enqueue((session, now));
            }
        }

        Release(session);
        while (_ended.TryPeek(out var oldest) && now - oldest.EndedAt > ReplayAfterEnd && _ended.TryDequeue(out oldest))
        {
            Release(oldest.Session);
        }
    }

    /// <summary>Another process has appended to the session: what there is now is in the database alone.</summary>
    public void Wake(string session)
    {
        if (_sessions.TryGetValue(session, out var feed))
        {
            feed.Wake();
        }
    }

    /// <summary>Any session may have been appended to by another process.</summary>
    public void WakeAll()
    {
        foreach (var feed in _sessions.Values)
        {
            feed.Wake();
        }
    }

    /// <summary>
    /// Sends a preview to the readers that asked for its kind. It may be dropped; the event itself never is.
    /// </summary>
    public void Publish(string session, Preview preview)
    {
        if (_sessions.TryGetValue(session, out var feed))
        {
            feed.Publish(preview);
        }
    }

    /// <summary>
    /// Opens a reader. Its cursor is <paramref name="after"/>, or else the start of a turn nobody has seen,
    /// or else <paramref name="head"/>, the log's end as it was before this call.
    /// </summary>
    /// <param name="thread">
    /// The thread beside the primary one that is read: its reader sees a part of the turn, which so counts as unseen.
    /// Null for the session's own stream.
    /// </param>
    public FeedReader Subscribe(
        string session, long? after, long head, IReadOnlySet<string> previewTypes, string? thread = null)
    {
        using var held = Hold(session);
        var reader = new FeedReader(held.Feed, thread, previewTypes);
        held.Feed.Add(reader, thread is null ? after : after ?? head, head, clock.GetUtcNow());
        return reader;
    }

    public void Unsubscribe(string session, FeedReader reader)
    {
        if (_sessions.TryGetValue(session, out var feed))
        {
            feed.Remove(reader);
            Release(session);
        }
    }

    /// <summary>Recent entries from memory, or null when the log must be read.</summary>
    internal IReadOnlyList<LogEntry>? TryRead(string session, long afterSeq, int limit) =>
        _sessions.TryGetValue(session, out var feed) && feed.TryRead(afterSeq, limit) is { } frames
            ? Array.ConvertAll(frames, frame => frame.Entry) : null;

    private void Release(string session)
    {
        if (_sessions.TryGetValue(session, out var feed) && feed.TryClose(clock.GetUtcNow()))
        {
            _sessions.TryRemove(KeyValuePair.Create(session, feed));
        }
    }

    private Held Hold(string session)
    {
        // A feed that was closed between the look-up and the hold is gone from the table, or about to be.
        while (true)
        {
            var feed = _sessions.GetOrAdd(session, static _ => new SessionFeed());
            if (feed.TryHold())
            {
                return new Held(feed);
            }

            _sessions.TryRemove(KeyValuePair.Create(session, feed));
        }
    }

    private readonly struct Held(SessionFeed feed) : IDisposable
    {
        public SessionFeed Feed => feed;

        public void Dispose() => feed.Unhold();
    }
}
