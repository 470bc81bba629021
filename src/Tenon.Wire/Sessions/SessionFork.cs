using System.Text.Json.Serialization;
using Tenon.Wire.Agents;

namespace Tenon.Wire.Sessions;

/// <summary>Body of <c>POST /v1/sessions/{id}/fork</c>, which is Tenon's own (docs/concepts/fork.md).</summary>
public sealed record SessionFork
{
    /// <summary>The last event of the history that the fork has; null takes the newest.</summary>
    public string? EventId { get; init; }

    /// <summary>Another model; left out, the session's own.</summary>
    [JsonConverter(typeof(PatchConverter<ModelConfig>))]
    public Patch<ModelConfig> Model { get; init; }

    /// <summary>Another system prompt; null clears it.</summary>
    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> System { get; init; }

    /// <summary>Another title; null clears it.</summary>
    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> Title { get; init; }

    /// <summary>Metadata in place of the session's own.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}
