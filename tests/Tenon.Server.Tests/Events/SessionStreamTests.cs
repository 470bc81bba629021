using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Events;

/// <summary>Streams of a whole server, as clients use them (api D).</summary>
public abstract class SessionStreamTests(TestServer server)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Last_event_id_gives_exactly_the_rest()
    {
        var session = await server.NewSession();
        session.Model.Says("one").Says("two");
        var first = await session.Run(TestSession.Says("first"));
        var second = await session.Run(TestSession.Says("second"));

        await using var stream = await session.Stream(lastEventId: first[4].Id);
        var rest = new List<StreamEvent>();
        while (rest.Count < first.Count - 5 + second.Count)
        {
            rest.Add((await stream.Next())!);
        }

        Assert.Equal([.. first.Skip(5).Concat(second).Select(Show)], rest.Select(Show));
        Assert.All(rest, frame => Assert.Matches("^[0-9]+$", frame.Id!));
    }

    [Fact]
    public async Task Previews_go_to_the_streams_that_ask_and_are_a_prefix_of_the_message()
    {
        var session = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("hello there");
        await using var asks = await session.Stream(
            "?event_deltas%5B%5D=agent.message&event_deltas%5B%5D=agent.thinking");
        await using var plain = await session.Stream();
        await session.Send(TestSession.Says("hi"));

        var early = await asks.Until("event_delta");
        gate.SetResult();
        var all = early.Concat(await asks.Until("session.status_idle")).ToList();
        var without = await plain.Until("session.status_idle");

        var message = all.Single(frame => frame.Name == "agent.message").Json;
        var start = Assert.Single(all, frame => frame.Name == "event_start").Json;
        JsonAssert.Equal(
            $$$"""{"type":"event_start","event":{"type":"agent.message","id":"{{{message.Text("id")}}}"}}""", start);
        var deltas = all.Where(frame => frame.Name == "event_delta").ToList();
        Assert.All(deltas, delta => Assert.Equal(message.Text("id"), delta.Json.Text("event_id")));
        Assert.All(deltas, delta => Assert.Equal(0, delta.Json.At("delta.index").GetInt32()));
        Assert.StartsWith(
            string.Concat(deltas.Select(delta => delta.Json.Text("delta.content.text"))),
            message.Text("content.0.text"), StringComparison.Ordinal);
        Assert.Equal(without.Select(Show), all.Where(frame => !IsPreview(frame)).Select(Show));
        Assert.All(all.Where(IsPreview), frame => Assert.Null(frame.Id));
        Assert.DoesNotContain(await session.Types(), type => type.StartsWith("event_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Thinking_is_announced_and_has_no_text()
    {
        var session = await server.NewSession();
        session.Model.Answers(new ModelThinking("secret", "signed"), new ModelText("hello"));
        await using var stream = await session.Stream("?event_deltas=agent.thinking");
        await session.Send(TestSession.Says("hi"));

        var turn = await stream.Until("session.status_idle");

        Assert.DoesNotContain(turn, frame => frame.Name == "event_delta");
        Assert.DoesNotContain(turn, frame => frame.Json.GetRawText().Contains("secret", StringComparison.Ordinal));
        Assert.Single(turn, frame => frame.Name == "agent.thinking");
    }

    [Fact]
    public async Task A_turn_that_runs_unseen_is_replayed_to_the_first_stream_only()
    {
        var session = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("done");
        await session.Send(TestSession.Says("hi"));
        await session.Model.Asked(Cancelled);

        await using var first = await session.Stream();
        await using var second = await session.Stream();
        gate.SetResult();
        var seenFirst = await first.Until("session.status_idle");
        var seenSecond = await second.Until("session.status_idle");

        Assert.Equal("user.message", seenFirst[0].Name);
        Assert.DoesNotContain(seenSecond, frame => frame.Name is "user.message" or "session.status_running");
    }

    [Fact]
    public async Task A_turn_that_was_streamed_is_not_replayed_to_the_next_stream()
    {
        var session = await server.NewSession();
        session.Model.Says("one").Says("two");
        await session.Run(TestSession.Says("first"));

        var second = await session.Run(TestSession.Says("second"));

        Assert.Equal("second", second[0].Json.Text("content.0.text"));
        Assert.Equal("two", second.Single(frame => frame.Name == "agent.message").Json.Text("content.0.text"));
    }

    [Fact]
    public async Task Many_readers_of_one_session_all_see_the_same()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        var streams = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => session.Stream()));
        await session.Send(TestSession.Says("go"));

        var seen = await Task.WhenAll(streams.Select(stream => stream.Until("session.status_idle")));

        var expected = (await session.List()).EnumerateArray().Select(json => json.Text("id")).ToList();
        Assert.All(seen, frames => Assert.Equal(expected, frames.Select(frame => frame.EventId)));
        foreach (var stream in streams)
        {
            await stream.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(
        "event_deltas[]=agent.tool_use", "event_deltas: 'agent.tool_use' is not one of agent.message, agent.thinking.")]
    [InlineData("event_deltas=x", "event_deltas: 'x' is not one of agent.message, agent.thinking.")]
    public async Task Unknown_previews_are_refused(string query, string message)
    {
        var session = await server.NewSession();

        (await server.Get($"{session.Path}/events/stream?{query}")).Refused(400, message);
    }

    [Fact]
    public async Task At_most_100_kinds_of_previews_are_taken()
    {
        var session = await server.NewSession();
        var query = string.Join('&', Enumerable.Repeat("event_deltas[]=agent.message", 101));

        (await server.Get($"{session.Path}/events/stream?{query}")).Refused(400, "event_deltas: at most 100 values");
    }

    [Theory]
    [InlineData("sevt_1")]
    [InlineData("-1")]
    public async Task A_last_event_id_of_another_stream_is_refused(string id)
    {
        var session = await server.NewSession();
        using var client = server.NewClient(("X-Api-Key", TestServer.ApiKey), ("Last-Event-ID", id));
        using var response = await client.GetAsync($"{session.Path}/events/stream", Cancelled);

        (await Answer.Read(response, Cancelled)).Refused(400, $"Last-Event-ID: '{id}' is not an id of this stream.");
    }

    private static bool IsPreview(StreamEvent frame) => frame.Name.StartsWith("event_", StringComparison.Ordinal);

    private static string Show(StreamEvent frame) => $"{frame.Id} {frame.Name} {frame.Json.GetRawText()}";
}
