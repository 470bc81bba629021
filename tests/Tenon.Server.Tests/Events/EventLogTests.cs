using Tenon.Server.Events;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Events;

public abstract class EventLogTests(LogLab lab) : IAsyncDisposable
{
    private readonly LogLab _lab = lab;

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_is_appended_is_read_back_as_it_was()
    {
        var entries = new[]
        {
            LogLab.Entry(1, "user.message", at: 5),
            LogLab.Entry(2, "internal.model_answer", isInternal: true, extra: ",\"text\":\"日本 \\\"\""),
            LogLab.Entry(3),
        };

        await _lab.Append("s", entries);

        Assert.Equal(entries, await _lab.ReadAll("s"));
        Assert.Equal(entries[1..2], await _lab.ReadAll("s", 1, 1));
        Assert.Equal([entries[0], entries[2]], await _lab.List("s"));
        Assert.Equal(3, await _lab.Head("s"));
        Assert.Equal(0, await _lab.Head("other"));
        Assert.Empty(await _lab.ReadAll("other"));
    }

    [Theory]
    [InlineData("""{ "b":1,"a" : [ 1.0E+5,-0, 1e5 ],"b":2 }""")]
    [InlineData("""{"nul":"\u0000","half":"\ud800","slash":"\/","é":"é","emoji":"😀"}""")]
    [InlineData("{\"line\":\"\\n\"}\n\t ")]
    public async Task A_body_comes_back_byte_for_byte(string body)
    {
        await _lab.Append("s", LogLab.Entry(1) with { Body = body });

        Assert.Equal(body, (await _lab.List("s")).Single().Body);
        await _lab.Reopen();
        Assert.Equal(body, (await _lab.ReadAll("s")).Single().Body);
    }

    [Fact]
    public async Task Appends_of_many_sessions_at_once_keep_each_sessions_order()
    {
        const int Sessions = 20;
        const int Appends = 50;
        var appends = new List<Task>();
        for (var i = 0; i < Appends; i++)
        {
            for (var session = 0; session < Sessions; session++)
            {
                // Not awaited: what is called first is durable first.
                appends.Add(_lab.Append($"s{session}", LogLab.Entry((i * 2) + 1), LogLab.Entry((i * 2) + 2)));
            }
        }

        await Task.WhenAll(appends);

        for (var session = 0; session < Sessions; session++)
        {
            var sequence = (await _lab.List($"s{session}")).Select(entry => entry.Seq);
            Assert.Equal(Enumerable.Range(1, Appends * 2).Select(seq => (long)seq), sequence);
        }
    }

    [Fact]
    public async Task Another_expected_sequence_is_a_conflict_and_leaves_nothing()
    {
        await _lab.Append("s", LogLab.Entry(1), LogLab.Entry(2));

        var early = await Assert.ThrowsAsync<SequenceConflictException>(
            () => _lab.Append("s", 1, LogLab.Entry(2), LogLab.Entry(3)));
        await Assert.ThrowsAsync<SequenceConflictException>(() => _lab.Append("s", 5, LogLab.Entry(6)));

        Assert.Equal("The log of s is at 2, not at 1: another owner has written to it.", early.Message);
        Assert.Equal(2, await _lab.Head("s"));
        Assert.Equal([1, 2], (await _lab.List("s")).Select(entry => entry.Seq));
    }

    [Fact]
    public async Task Of_owners_that_append_at_the_same_place_at_once_one_wins()
    {
        var appends = Enumerable.Range(0, 10).Select(i => _lab.Append("s", LogLab.Entry(1, id: $"sevt_owner{i}")))
            .ToList();

        _ = await Task.WhenAny(Task.WhenAll(appends));

        Assert.Equal(1, appends.Count(append => append.IsCompletedSuccessfully));
        foreach (var failed in appends.Where(append => append.IsFaulted))
        {
            Assert.IsType<SequenceConflictException>(failed.Exception!.InnerException);
        }

        Assert.Single(await _lab.List("s"));
    }

    [Fact]
    public async Task An_append_is_taken_whole_or_not_at_all()
    {
        await _lab.Append("s", LogLab.Entry(1));

        // The second entry breaks the table's key, so the database refuses it after the first.
        await Assert.ThrowsAsync<LogUnavailableException>(() => _lab.Append("s", 1, LogLab.Entry(2), LogLab.Entry(2)));
        await _lab.Append("s", LogLab.Entry(2, id: "sevt_after"));

        Assert.Equal(["sevt_1", "sevt_after"], (await _lab.List("s")).Select(entry => entry.Id));
    }

    [Fact]
    public async Task Of_several_states_of_one_event_the_newest_is_listed_at_its_place()
    {
        await _lab.Append(
            "s", LogLab.Entry(1), LogLab.Entry(2, "user.message", "sevt_waits"), LogLab.Entry(3),
            LogLab.Entry(4, "user.message", "sevt_waits"));

        Assert.Equal([1, 3, 4], (await _lab.List("s")).Select(entry => entry.Seq));
        Assert.Equal([1, 2, 3, 4], (await _lab.ReadAll("s")).Select(entry => entry.Seq));
    }

    [Fact]
    public async Task A_list_is_bounded_by_order_place_type_and_time()
    {
        await _lab.Append(
            "s", LogLab.Entry(1, "a", at: 10), LogLab.Entry(2, "b", at: 20), LogLab.Entry(3, "a", at: 30),
            LogLab.Entry(4, "c", at: 40));

        Assert.Equal([4, 3, 2, 1], await Seqs(query => query with { Descending = true }));
        Assert.Equal([3, 4], await Seqs(query => query with { After = 2 }));
        Assert.Equal([2, 1], await Seqs(query => query with { After = 3, Descending = true }));
        Assert.Equal([1, 2], await Seqs(query => query with { Limit = 2 }));
        Assert.Equal([1, 3, 4], await Seqs(query => query with { Types = ["a", "c"] }));
        Assert.Equal([2, 3], await Seqs(query => query with { From = 20, To = 30 }));

        async Task<IEnumerable<long>> Seqs(Func<LogQuery, LogQuery> change) =>
            (await _lab.List("s", change)).Select(entry => entry.Seq);
    }

    [Fact]
    public async Task A_page_of_a_long_log_costs_what_one_of_a_short_log_does()
    {
        const int Page = 1_000;
        const int Short = 1_100;
        const int Long = 20_000;
        await Task.WhenAll(Enumerable.Range(0, 1_000).Select(i => _lab.Append($"usual{i}", Entries(0, 20))));
        await _lab.CountRows();
        await Task.WhenAll(_lab.Append("short", Entries(0, Short)), Append("long", Long));

        // By turns, and the middle one of each, so that what else the machine does counts for both. Many times, because
        // a database may plan a statement anew once it is used often.
        var (ofShort, ofLong) = (new List<TimeSpan>(), new List<TimeSpan>());
        for (var round = 0; round < 21; round++)
        {
            ofShort.Add(await Time("short", after: 0));
            ofLong.Add(await Time("long", after: Long / 2));
        }

        var (@short, @long) = (ofShort.Order().ElementAt(10), ofLong.Order().ElementAt(10));
        Assert.True(@long < @short * 5, $"It took {@long} with {Long} entries and {@short} with {Short}.");

        async Task<TimeSpan> Time(string session, long after)
        {
            var started = TimeProvider.System.GetTimestamp();
            var page = await _lab.List(session, query => query with { After = after, Limit = Page });
            var took = TimeProvider.System.GetElapsedTime(started);
            Assert.Equal((after + 1, Page), (page[0].Seq, page.Count));
            return took;
        }

        async Task Append(string session, int count)
        {
            for (var seq = 0; seq < count; seq += Page)
            {
                await _lab.Append(session, Entries(seq, Page));
            }
        }

        static LogEntry[] Entries(int after, int count) =>
            [.. Enumerable.Range(after + 1, count).Select(seq => LogLab.Entry(seq))];
    }

    [Fact]
    public async Task The_log_survives_a_restart()
    {
        await _lab.Append("s", LogLab.Entry(1), LogLab.Entry(2, isInternal: true));

        await _lab.Reopen();
        await _lab.Append("s", LogLab.Entry(3));

        Assert.Equal([1, 2, 3], (await _lab.ReadAll("s")).Select(entry => entry.Seq));
        Assert.Equal(3, await _lab.Head("s"));
    }

    [Fact]
    public async Task A_purge_leaves_only_what_comes_with_it()
    {
        await _lab.Append("s", LogLab.Entry(1), LogLab.Entry(2));
        await _lab.Append("other", LogLab.Entry(1));

        await _lab.Log.Append(new LogAppend
        {
            Session = "s", ExpectedSeq = 2, Entries = [LogLab.Entry(3, "session.deleted")], Purge = true,
        });

        Assert.Equal([3], (await _lab.List("s")).Select(entry => entry.Seq));
        Assert.Single(await _lab.List("other"));
    }
}
