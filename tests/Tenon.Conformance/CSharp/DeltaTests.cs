using System.Text.Json;
using Anthropic.Helpers;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

public sealed class DeltaTests(Lab lab)
{
    [Fact]
    public async Task The_aggregator_of_the_SDK_builds_the_text_from_its_pieces()
    {
        var gate = new PieceGate();
        var session = await lab.Session(lab.Model(Reply.Text("Once ", "upon ", "a time") with { Gate = gate.Wait }));
        await session.Send(Events.Message("tell"));
        var aggregator = new BetaManagedAgentsEventAggregator();
        var growing = new List<string?>();

        var stream = lab.Client.Beta.Sessions.Events.StreamStreaming(
            session.Id, new EventStreamParams { EventDeltas = [BetaManagedAgentsDeltaType.AgentMessage] },
            TestContext.Current.CancellationToken);
        string? messageId = null;
        await foreach (var @event in stream.CollectAsync(aggregator))
        {
            gate.Open(); // the stream is open, so the first piece may come
            if (@event.TryPickDeltaEvent(out var delta))
            {
                growing.Add(aggregator.TryGetAgentMessageText(delta!.EventID));
            }
            else if (@event.TryPickAgentMessageEvent(out var message))
            {
                messageId = message!.ID;
            }
            else if (@event.TryPickSessionStatusIdleEvent(out _))
            {
                break;
            }
        }

        Assert.Equal("Once upon a time", aggregator.GetAgentMessageText(messageId!));
        Assert.NotEmpty(growing);
        Assert.All(growing, text => Assert.StartsWith(text!, "Once upon a time", StringComparison.Ordinal));
        Assert.Equal(growing.Order(StringComparer.Ordinal), growing);
    }

    [Fact]
    public async Task Previews_come_before_their_message_under_its_id_and_are_never_stored()
    {
        var session = await lab.Session(lab.Model(Reply.Thinking("Hm.", "signed").Then(Reply.Text("Hel", "lo"))));
        await using var stream = await session.Open(
            BetaManagedAgentsDeltaType.AgentMessage, BetaManagedAgentsDeltaType.AgentThinking);

        await session.Send(Events.Message("hi"));
        var turn = await stream.ReadTo("session.status_idle");

        var id = turn.The("agent.message").Id();
        var starts = turn.Where(@event => @event.Type() == "event_start").Select(start => start.GetProperty("event"));
        Assert.Equal([turn.The("agent.thinking").Id(), id], starts.Ids());
        var previews = turn.Where(@event => @event.Type() == "event_delta").ToList();
        Assert.All(previews, preview => Assert.Equal(id, preview.GetProperty("event_id").GetString()));
        Assert.Equal("Hello", string.Concat(previews.Select(Fragment)));
        Assert.True(turn.FindLastIndex(@event => @event.Type() == "event_delta") < turn.Ids().IndexOf(id));
        Assert.DoesNotContain(await session.History(), Events.IsPreview);
    }

    [Fact]
    public async Task A_stream_that_did_not_ask_for_previews_gets_none()
    {
        var session = await lab.Session(lab.Model(Reply.Thinking("Hm.", "signed").Then(Reply.Text("Hel", "lo"))));

        var turn = await session.Turn(Events.Message("hi"));

        Assert.DoesNotContain(turn, Events.IsPreview);
        Assert.Contains("agent.thinking", turn.Types());
    }

    private static string? Fragment(JsonElement preview) =>
        preview.GetProperty("delta").GetProperty("content").GetProperty("text").GetString();

    /// <summary>Holds a model's answer back until a client is there to see its pieces.</summary>
    private sealed class PieceGate
    {
        private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Wait(string frame) => _open.Task;

        public void Open() => _open.TrySetResult();
    }
}
