using System.Text.Json.Serialization;
using Tenon.Wire.Content;

namespace Tenon.Wire.Events;

/// <summary>Announces an event whose content streams before it is whole (api D.3). Never stored.</summary>
public sealed record EventStart
{
    [JsonPropertyOrder(-2)]
    public string Type => "event_start";

    public required PreviewOf Event { get; init; }
}

/// <summary>The event that is being previewed: its type and the id it will have.</summary>
public sealed record PreviewOf
{
    [JsonPropertyOrder(-2)]
    public required string Type { get; init; }

    public required string Id { get; init; }
}

/// <summary>More text of an announced event. Never stored.</summary>
public sealed record EventDelta
{
    [JsonPropertyOrder(-2)]
    public string Type => "event_delta";

    public required string EventId { get; init; }

    public required ContentDelta Delta { get; init; }
}

public sealed record ContentDelta
{
    [JsonPropertyOrder(-2)]
    public string Type => "content_delta";

    /// <summary>Which content block the text belongs to: 0, 1, 2 … without gaps.</summary>
    public required int Index { get; init; }

    public required ContentBlock Content { get; init; }
}
