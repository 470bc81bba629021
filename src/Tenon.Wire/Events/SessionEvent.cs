using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Wire.Events;

/// <summary>
/// One entry of a session's history as clients see it (api C). Its JSON is what the log stores and the stream sends.
/// </summary>
[JsonConverter(typeof(SessionEventConverter))]
public abstract record SessionEvent
{
    [JsonPropertyOrder(-3)]
    public abstract string Type { get; }

    /// <summary>Given by the server; absent in what a client sends.</summary>
    [JsonPropertyOrder(-2)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Id { get; init; }

    /// <summary>When the event took effect; null while it waits behind earlier work.</summary>
    [JsonPropertyOrder(90)]
    public DateTimeOffset? ProcessedAt { get; init; }

    /// <summary>Fields this version does not know, kept as they came.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary>An event of a type this version does not know.</summary>
public sealed record UnknownEvent(string UnknownType, JsonElement Body) : SessionEvent
{
    public override string Type => UnknownType;
}

/// <summary>Body of <c>POST /v1/sessions/{id}/events</c>: all of them are accepted, or none.</summary>
public sealed record EventsSend
{
    public required IReadOnlyList<SessionEvent> Events { get; init; }
}
