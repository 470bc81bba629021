using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Wire.Sessions;

/// <summary>
/// Body of <c>POST /v1/sessions/{id}/resources</c>, and one of <see cref="SessionCreate.Resources"/> (api A.7, B.3).
/// </summary>
public sealed record ResourceCreate
{
    /// <summary><c>file github_repository memory_store</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The file to give the session a copy of.</summary>
    public string? FileId { get; init; }

    /// <summary>Where in the sandbox; null is <c>/mnt/session/uploads/</c> and the id of the file.</summary>
    public string? MountPath { get; init; }

    /// <summary>What other kinds of resources have.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary>A file that the session's sandbox can read.</summary>
public sealed record FileResource
{
    [JsonPropertyOrder(-2)]
    public string Type => "file";

    public required string Id { get; init; }

    /// <summary>The session's own copy.</summary>
    public required string FileId { get; init; }

    /// <summary>Where it is in the sandbox.</summary>
    public required string MountPath { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Body of <c>POST /v1/sessions/{id}/resources/{resource_id}</c>.</summary>
public sealed record ResourceUpdate
{
    public required string AuthorizationToken { get; init; }
}
