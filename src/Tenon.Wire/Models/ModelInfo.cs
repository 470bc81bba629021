using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Wire.Models;

/// <summary>A model that sessions can use (api A.12).</summary>
public sealed record ModelInfo
{
    [JsonPropertyOrder(-2)]
    public string Type => "model";

    public required string Id { get; init; }

    public required string DisplayName { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary><c>active deprecated retired</c>.</summary>
    public string Lifecycle { get; init; } = "active";

    public string? Line { get; init; }

    /// <summary>The context window, in tokens; null when unknown.</summary>
    public int? MaxInputTokens { get; init; }

    /// <summary>The longest answer, in tokens; null when unknown.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Not known to Tenon, which asks no provider.</summary>
    public JsonElement? Capabilities { get; init; }

    public DateTimeOffset? DeprecatedAt { get; init; }

    public DateTimeOffset? RetiresAt { get; init; }
}
