using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Events;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Events;

/// <summary>
/// Which turn is replayed to a stream that opens late, and which previews a slow one gets (design 5).
/// </summary>
public sealed class FeedTests
{
    private const string Session = "s";

    private readonly FakeTimeProvider _clock = new();
    private readonly Feed _feed;
    private long _head;

    public FeedTests() => _feed = new Feed(_clock);

    [Fact]
    public void A_running_turn_that_nobody_saw_is_replayed_to_the_first_stream_and_to_no_other()
    {
        Publish("session.updated");
        Publish("user.message", "session.status_running");
        Publish("agent.message");

        var first = Open();
        var second = Open();

        Assert.Equal((1, 4), (first.Cursor, second.Cursor));
    }

    [Fact]
    public void An_unseen_turn_is_replayed_until_two_seconds_after_its_end()
    {
        PublishTurn();
        _clock.Advance(Feed.ReplayAfterEnd);

        Assert.Equal(TimeSpan.FromSeconds(2), Feed.ReplayAfterEnd);
        Assert.Equal(0, Open().Cursor);
    }

    [Fact]
    public void After_that_a_stream_opens_at_the_present()
    {
        PublishTurn();
        _clock.Advance(Feed.ReplayAfterEnd + TimeSpan.FromMilliseconds(1));

        Assert.Equal(_head, Open().Cursor);
    }

    [Fact]
    public void A_turn_that_was_streamed_is_never_replayed()
    {
        var reader = Open();
        PublishTurn();
        reader.Cursor = _head;
        _feed.Unsubscribe(Session, reader);

        Assert.Equal(_head, Open().Cursor);
    }

    [Fact]
    public void A_replayed_turn_counts_as_seen_also_when_its_stream_broke_off()
    {
        PublishTurn();
        var replayed = Open();
        _feed.Unsubscribe(Session, replayed);

        Assert.Equal(0, replayed.Cursor);
        Assert.Equal(_head, Open().Cursor);
    }

    [Fact]
    public void The_next_turn_is_unseen_again()
    {
        PublishTurn();
        var reader = Open();
        reader.Cursor = _head;
        _feed.Unsubscribe(Session, reader);
        var before = _head;
        PublishTurn();

        Assert.Equal(before, Open().Cursor);
    }

    [Fact]
    public void A_stream_that_says_where_it_was_resumes_there()
    {
        PublishTurn();

        Assert.Equal(2, Open(after: 2).Cursor);
    }

    [Fact]
    public void Another_sessions_turn_is_no_business_of_a_stream()
    {
        PublishTurn();

        Assert.Equal(7, _feed.Subscribe("other", null, 7, new HashSet<string>()).Cursor);
    }

    [Fact]
    public void Previews_go_only_to_who_asked_for_their_kind()
    {
        var both = Open(previews: ["agent.message", "agent.thinking"]);
        var thinking = Open(previews: ["agent.thinking"]);
        var none = Open();

        _feed.Publish(Session, Preview("sevt_1", "agent.message", 0));
        _feed.Publish(Session, Preview("sevt_2", "agent.thinking", 0));

        Assert.Equal(["sevt_1", "sevt_2"], Drain(both).Select(preview => preview.EventId));
        Assert.Equal(["sevt_2"], Drain(thinking).Select(preview => preview.EventId));
        Assert.Empty(Drain(none));
    }

    [Fact]
    public void A_slow_reader_gets_a_prefix_of_the_previews_and_the_next_events_again()
    {
        var reader = Open(previews: ["agent.message"]);
        for (var i = 0; i < 2_000; i++)
        {
            _feed.Publish(Session, Preview("sevt_1", "agent.message", i));
        }

        var kept = Drain(reader);
        _feed.Publish(Session, Preview("sevt_1", "agent.message", 2_000));
        _feed.Publish(Session, Preview("sevt_2", "agent.message", 0));

        Assert.InRange(kept.Count, 1, 1_999);
        Assert.Equal(Enumerable.Range(0, kept.Count).Select(i => $"{i}"), kept.Select(preview => preview.Body));
        Assert.Equal(["sevt_2"], Drain(reader).Select(preview => preview.EventId));
    }

    private void PublishTurn()
    {
        Publish("user.message", "session.status_running");
        Publish("agent.message", "session.status_idle");
    }

    private void Publish(params string[] types) =>
        _feed.Publish(Session, types.Select(type => LogLab.Entry(++_head, type)).ToList());

    private FeedReader Open(long? after = null, params string[] previews) =>
        _feed.Subscribe(Session, after, _head, previews.ToHashSet());

    private static Preview Preview(string id, string type, int number) =>
        new(null, 0, id, type, "event_delta", $"{number}");

    private static List<Preview> Drain(FeedReader reader)
    {
        var previews = new List<Preview>();
        for (; reader.NextPreview is { } preview; reader.DropPreview())
        {
            previews.Add(preview);
        }

        return previews;
    }
}
