using Anthropic.Exceptions;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Threads;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;
using ThreadEventList = Anthropic.Models.Beta.Sessions.Threads.Events.EventListParams;
using ThreadEventStream = Anthropic.Models.Beta.Sessions.Threads.Events.EventStreamParams;

namespace Tenon.Conformance.CSharp;

public sealed class ThreadTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_session_has_its_primary_thread_from_the_start()
    {
        var session = await lab.Session(lab.Model());

        var listed = await lab.Client.Beta.Sessions.Threads.List(session.Id, cancellationToken: Cancellation);
        var thread = Assert.Single(listed.Items);
        var read = await lab.Client.Beta.Sessions.Threads.Retrieve(
            thread.ID, new ThreadRetrieveParams { SessionID = session.Id }, Cancellation);

        Assert.StartsWith("sthr_", thread.ID, StringComparison.Ordinal);
        Assert.Equal(session.Id, thread.SessionID);
        Assert.Null(thread.ParentThreadID);
        Assert.Equal("idle", thread.Status.Raw());
        Assert.Equal((thread.ID, thread.CreatedAt), (read.ID, read.CreatedAt));
    }

    [Fact]
    public async Task The_primary_thread_has_the_events_of_the_session()
    {
        var session = await lab.Session(lab.Model(Reply.Text("hello")));
        var thread = await Primary(session);
        using var stream = await lab.Client.Beta.Sessions.Threads.Events.WithRawResponse.StreamStreaming(
            thread.ID, new ThreadEventStream { SessionID = session.Id }, Cancellation);

        var turn = await session.Turn(Events.Message("hi"));
        var streamed = new List<string?>();
        await foreach (var @event in stream.Enumerate(Cancellation))
        {
            streamed.Add(@event.ID);
            if (@event.TryPickSessionStatusIdleEvent(out _))
            {
                break;
            }
        }

        var listed = await lab.Client.Beta.Sessions.Threads.Events.List(
            thread.ID, new ThreadEventList { SessionID = session.Id }, Cancellation);
        Assert.Equal(thread.ID, turn.The("session.thread_status_idle").GetProperty("session_thread_id").GetString());
        Assert.Equal(turn.Ids(), streamed);
        Assert.Equal(turn.Ids(), listed.Items.Select(item => item.ID));
    }

    [Fact]
    public async Task Its_stream_has_previews_for_those_who_ask()
    {
        var session = await lab.Session(lab.Model(Reply.Text("hel", "lo")));
        using var stream = await lab.Client.Beta.Sessions.Threads.Events.WithRawResponse.StreamStreaming(
            (await Primary(session)).ID,
            new ThreadEventStream
            {
                SessionID = session.Id,
                EventDeltas = [BetaManagedAgentsDeltaType.AgentMessage],
            },
            Cancellation);

        await session.Send(Events.Message("hi"));
        var seen = new List<string>();
        await foreach (var @event in stream.Enumerate(Cancellation))
        {
            seen.Add(@event.Json.Type());
            if (seen[^1] == "session.status_idle")
            {
                break;
            }
        }

        Assert.Contains("event_delta", seen);
    }

    [Fact]
    public async Task It_is_archived_with_its_session()
    {
        var session = await lab.Session(lab.Model());
        var thread = await Primary(session);
        var archive = new ThreadArchiveParams { SessionID = session.Id };

        await Assert.ThrowsAsync<AnthropicBadRequestException>(
            () => lab.Client.Beta.Sessions.Threads.Archive(thread.ID, archive, Cancellation));
        await lab.Client.Beta.Sessions.Archive(session.Id, cancellationToken: Cancellation);
        var archived = await lab.Client.Beta.Sessions.Threads.Archive(thread.ID, archive, Cancellation);

        Assert.Equal("terminated", archived.Status.Raw());
        Assert.NotNull(archived.ArchivedAt);
    }

    [Fact]
    public async Task A_thread_of_another_session_is_not_found()
    {
        var session = await lab.Session(lab.Model());
        var other = await lab.Session(lab.Model());
        var thread = await Primary(other);

        await Assert.ThrowsAsync<AnthropicNotFoundException>(() => lab.Client.Beta.Sessions.Threads.Retrieve(
            thread.ID, new ThreadRetrieveParams { SessionID = session.Id }, Cancellation));
    }

    private async Task<BetaManagedAgentsSessionThread> Primary(LabSession session) =>
        (await lab.Client.Beta.Sessions.Threads.List(session.Id, cancellationToken: Cancellation)).Items.Single();
}
