using CsCheck;
using System.Text;
using Tenon.Server.Events;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Events;

/// <summary>The stream itself, over a real socket and by a clock that only the test moves.</summary>
public abstract class EventStreamTests(LogLab lab) : IAsyncLifetime
{
    private readonly LogLab _lab = lab;
    private StreamHost _host = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await StreamHost.Start(_lab);

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _lab.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Headers_come_before_any_event()
    {
        // Were they held back until the first frame, this would not return.
        await using var stream = await _host.Open("s");

        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.MediaType);
        Assert.True(stream.Response.Headers.CacheControl!.NoCache);
    }

    [Fact]
    public async Task A_frame_is_its_sequence_its_type_and_its_stored_json_on_one_line()
    {
        await using var raw = await Raw("s");
        await _lab.Append(
            "s", LogLab.Entry(1, "internal.x", isInternal: true), LogLab.Entry(2, extra: ",\"t\":\"日本\""));

        Assert.Equal(
            ["id: 2", "event: agent.message", """data: {"type":"agent.message","id":"sevt_2","n":2,"t":"日本"}""", ""],
            await raw.Lines(4));
    }

    [Fact]
    public async Task A_silent_stream_has_a_comment_every_15_seconds()
    {
        await using var raw = await Raw("s");
        await _lab.Append("s", LogLab.Entry(1));
        await raw.Lines(4);

        _lab.Clock.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal([": keep-alive", ""], await raw.Lines(2));
        _lab.Clock.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal([": keep-alive", ""], await raw.Lines(2));
    }

    [Fact]
    public async Task Without_a_cursor_a_stream_opens_at_the_present()
    {
        await _lab.Append("s", LogLab.Entry(1), LogLab.Entry(2));
        await using var stream = await _host.Open("s");
        await _lab.Append("s", LogLab.Entry(3));

        Assert.Equal("3", (await stream.Next())!.Id);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task With_a_cursor_it_has_exactly_the_rest(int last)
    {
        await _lab.Append("s", [.. Enumerable.Range(1, 5).Select(seq => LogLab.Entry(seq))]);

        await using var stream = await _host.Open("s", $"{last}");
        await _lab.Append("s", LogLab.Entry(6, "session.deleted"));

        Assert.Equal(
            Enumerable.Range(last + 1, 6 - last).Select(seq => $"{seq}"), (await stream.Rest())
                .Select(frame => frame.Id));
    }

    [Fact]
    public async Task Far_behind_a_reader_has_every_event_from_the_database()
    {
        const int Count = 1_000;
        await _lab.Append("s", [.. Enumerable.Range(1, Count).Select(seq => LogLab.Entry(seq))]);

        await using var stream = await _host.Open("s", "0");
        var seen = new List<string?>();
        while (seen.Count < Count)
        {
            seen.Add((await stream.Next())!.Id);
        }

        Assert.Equal(Enumerable.Range(1, Count).Select(seq => $"{seq}"), seen);
    }

    [Theory]
    [InlineData("session.deleted")]
    [InlineData("session.status_terminated")]
    public async Task A_stream_closes_after_the_last_event_of_its_session(string type)
    {
        await using var stream = await _host.Open("s");
        await _lab.Append("s", LogLab.Entry(1), LogLab.Entry(2, type));

        Assert.Equal(["agent.message", type], (await stream.Rest()).Select(frame => frame.Name));
    }

    [Fact]
    public async Task A_preview_comes_after_what_was_durable_before_it_and_before_its_event()
    {
        await using var stream = await _host.Open("s", previews: "agent.message");
        await _lab.Append("s", LogLab.Entry(1, "span.model_request_start"));
        Preview(1, "sevt_2", "event_start", "{\"n\":1}");
        Preview(1, "sevt_2", "event_delta", "{\"n\":2}");
        var seen = await stream.Until("event_delta");
        await _lab.Append("s", LogLab.Entry(2));

        seen = [.. seen, .. await stream.Until("agent.message")];
        Assert.Equal(
            ["span.model_request_start", "event_start", "event_delta", "agent.message"], seen.Select(
                frame => frame.Name));
    }

    [Fact]
    public async Task A_stream_that_opens_in_the_middle_of_an_answer_has_no_previews_of_it()
    {
        await _lab.Append("s", LogLab.Entry(1, "span.model_request_start"));
        await using var stream = await _host.Open("s", "1", "agent.message");

        Preview(1, "sevt_2", "event_delta", "{}");
        await _lab.Append("s", LogLab.Entry(2));

        Assert.Equal("agent.message", (await stream.Next())!.Name);
    }

    [Fact]
    public async Task A_client_that_does_not_read_loses_previews_and_no_event()
    {
        const int Fragments = 6_000;
        var fragment = new string('x', 8_000);
        await using var stream = await _host.Open("s", previews: "agent.message");
        await _lab.Append("s", LogLab.Entry(1, "span.model_request_start"));
        await stream.Until("span.model_request_start");

        // Nothing is read from here on, and it is more than the sockets between the two hold.
        Preview(1, "sevt_2", "event_start", "{}");
        for (var i = 0; i < Fragments; i++)
        {
            Preview(1, "sevt_2", "event_delta", $$"""{"n":{{i}},"text":"{{fragment}}"}""");
        }

        await _lab.Append("s", LogLab.Entry(2), LogLab.Entry(3, "span.model_request_end"));
        await _lab.Append("s", LogLab.Entry(4, "session.status_idle"));
        var seen = await stream.Until("session.status_idle");

        var deltas = seen.Where(frame => frame.Name == "event_delta").Select(frame => frame.Json.At("n").GetInt32())
            .ToList();
        Assert.InRange(deltas.Count, 1, Fragments - 1);
        Assert.Equal(Enumerable.Range(0, deltas.Count), deltas);
        Assert.Equal(
            ["2", "3", "4"], seen.Where(frame => !frame.Name.StartsWith("event_", StringComparison.Ordinal))
                .Select(frame => frame.Id));
    }

    [Fact]
    public async Task However_often_a_reader_is_cut_off_it_ends_with_exactly_the_history()
    {
        var sessions = 0;
        await Gen.Select(Gen.Int[1, 4].List[1, 12], Gen.Int[0, 6].List[0, 8]).SampleAsync(async (appends, reads) =>
        {
            var session = $"random-{Interlocked.Increment(ref sessions)}";
            var writing = Write(session, appends);

            var seen = new List<string>();
            foreach (var count in reads)
            {
                await using var stream = await _host.Open(session, seen.LastOrDefault() ?? "0");
                for (var i = 0; i < count && !IsAll(seen, appends); i++)
                {
                    seen.Add((await stream.Next())!.Id!);
                }
            }

            await using (var rest = await _host.Open(session, seen.LastOrDefault() ?? "0"))
            {
                seen.AddRange((await rest.Rest()).Select(frame => frame.Id!));
            }

            await writing;
            return seen.SequenceEqual((await _lab.List(session)).Select(entry => $"{entry.Seq}"));
        }, iter: 60);

        // The last event closes a stream, so a reader cut off behind it has nothing left to wait for.
        static bool IsAll(List<string> seen, List<int> appends) => seen.Count >= appends.Sum();
    }

    private async Task Write(string session, List<int> appends)
    {
        var seq = 0L;
        foreach (var count in appends)
        {
            await _lab.Append(session, [.. Enumerable.Range(0, count).Select(_ => LogLab.Entry(++seq))]);
        }

        await _lab.Append(session, LogLab.Entry(++seq, "session.deleted"));
    }

    private void Preview(long after, string id, string name, string body) =>
        _lab.Feed.Publish("s", new Preview(null, after, id, "agent.message", name, body));

    private async Task<RawStream> Raw(string session)
    {
        var response = await _host.Client.GetAsync($"/{session}", HttpCompletionOption.ResponseHeadersRead, Cancelled);
        return new RawStream(
            response, new StreamReader(await response.Content.ReadAsStreamAsync(Cancelled), Encoding.UTF8));
    }

    /// <summary>The stream's own lines, comments included.</summary>
    private sealed record RawStream(HttpResponseMessage Response, StreamReader Reader) : IAsyncDisposable
    {
        public async Task<List<string?>> Lines(int count)
        {
            var lines = new List<string?>();
            while (lines.Count < count)
            {
                lines.Add(await Reader.ReadLineAsync(Cancelled));
            }

            return lines;
        }

        public ValueTask DisposeAsync()
        {
            Response.Dispose();
            Reader.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
