using System.Text.Json;
using Tenon.Server.Events;
using Tenon.Server.Models;
using Tenon.Wire;
using Tenon.Wire.Content;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <summary>
/// Sends an answer's text while it is made (api D.3). The ids are those the events will have, so that what was
/// previewed can be told to be the same.
/// </summary>
internal sealed class MessagePreview(Feed feed, ThreadLog log)
{
    private bool _thinking;
    private bool _speaking;

    public string ThinkingId { get; } = log.NextId();

    public string MessageId { get; } = log.NextId();

    public void Think()
    {
        if (!_thinking)
        {
            _thinking = true;
            Start("agent.thinking", ThinkingId);
        }
    }

    public void Say(ModelChunk.Text text)
    {
        if (!_speaking)
        {
            _speaking = true;
            Start("agent.message", MessageId);
        }

        var delta = new EventDelta
        {
            EventId = MessageId,
            Delta = new ContentDelta { Index = text.Index, Content = ContentBlock.Of(text.Fragment) },
        };
        Publish(
            "agent.message", MessageId, "event_delta", JsonSerializer.Serialize(delta, WireJson.Default.EventDelta));
    }

    private void Start(string eventType, string id)
    {
        var start = new EventStart { Event = new PreviewOf { Type = eventType, Id = id } };
        Publish(eventType, id, "event_start", JsonSerializer.Serialize(start, WireJson.Default.EventStart));
    }

    private void Publish(string eventType, string id, string name, string body) =>
        feed.Publish(log.SessionId, new Preview(
            log.IsPrimary ? null : log.ThreadId, log.History.Seq, id, eventType, name, body));
}
