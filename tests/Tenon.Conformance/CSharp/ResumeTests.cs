using System.Text.Json;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

public sealed class ResumeTests(Lab lab)
{
    [Fact]
    public async Task A_stream_resumed_by_its_last_id_gives_exactly_the_rest()
    {
        using var http = lab.Server.Http();
        var session = await lab.Session(lab.Model(Reply.Hang("So"), Reply.Text("after")));
        var path = $"/v1/sessions/{session.Id}/events/stream";
        List<Frame> before;
        await using (var dropped = await RawStream.Open(http, path))
        {
            await session.Send(Events.Message("hi"));
            before = await dropped.ReadTo("span.model_request_start");
        }

        await session.Send(Events.Interrupt(), Events.Message("go on"));
        await using var resumed = await RawStream.Open(http, path, before[^1].Id);
        var rest = await resumed.ReadTo("session.status_idle");

        // What had to wait was streamed twice under one id; the history holds it once.
        var seen = before.Concat(rest).Select(frame => frame.Data.Id()).Distinct();
        Assert.Empty(before.Select(frame => frame.Id).Intersect(rest.Select(frame => frame.Id)));
        Assert.Equal((await session.History()).Ids().Order(), seen.Order());
        Assert.Equal("after", rest.Single(frame => frame.Name == "agent.message").Data.Text());
    }

    [Fact]
    public async Task A_resumed_stream_repeats_nothing_wherever_it_was_cut()
    {
        using var http = lab.Server.Http();
        var session = await lab.Session(lab.Model(Reply.Text("hello")));
        var path = $"/v1/sessions/{session.Id}/events/stream";
        await using var whole = await RawStream.Open(http, path);
        await session.Send(Events.Message("hi"));
        var frames = await whole.ReadTo("session.status_idle");

        foreach (var cut in Enumerable.Range(0, frames.Count - 1))
        {
            await using var resumed = await RawStream.Open(http, path, frames[cut].Id);
            var rest = await resumed.ReadTo("session.status_idle");
            Assert.Equal(frames[(cut + 1)..].Select(Line), rest.Select(Line));
        }

        static string Line(Frame frame) => $"{frame.Id} {frame.Name} {frame.Data.GetRawText()}";
    }

    [Fact]
    public async Task Listing_and_then_dropping_what_was_seen_loses_nothing_and_repeats_nothing()
    {
        var session = await lab.Session(lab.Model(Reply.Hang("So"), Reply.Text("after")));
        await using (var dropped = await session.Open(BetaManagedAgentsDeltaType.AgentMessage))
        {
            await session.Send(Events.Message("hi"));
            await dropped.ReadTo("event_delta");
        }

        // The documented way back: open first, list then, and skip on the stream what the list had.
        await using var reopened = await session.Open();
        var listed = await session.History();
        await session.Send(Events.Interrupt(), Events.Message("go on"));
        var tail = await reopened.ReadTo("session.status_idle");

        var known = listed.Ids().ToHashSet();
        var followed = listed.Concat(tail.Where(@event => known.Add(@event.Id()))).ToList();
        Assert.Equal("span.model_request_start", listed[^1].Type());
        Assert.Equal((await session.History()).Ids().Order(), followed.Ids().Order());
        Assert.Equal("after", followed.The("agent.message").Text());
    }

    [Fact]
    public async Task Two_streams_of_one_session_see_the_same()
    {
        var session = await lab.Session(lab.Model(Reply.Text("hello")));
        await using var one = await session.Open();
        await using var other = await session.Open();

        await session.Send(Events.Message("hi"));

        var first = await one.ReadTo("session.status_idle");
        var second = await other.ReadTo("session.status_idle");
        Assert.Equal(first.Select(Json), second.Select(Json));

        static string Json(JsonElement @event) => @event.GetRawText();
    }
}
