using System.Text.Json.Serialization;

namespace Tenon.Wire.Memory;

/// <summary>One change of a memory. Versions stay when the memory goes (api B.8).</summary>
public sealed record MemoryVersion
{
    [JsonPropertyOrder(-2)]
    public string Type => "memory_version";

    public required string Id { get; init; }

    public required string MemoryStoreId { get; init; }

    public required string MemoryId { get; init; }

    /// <summary><c>created modified deleted</c>.</summary>
    public required string Operation { get; init; }

    /// <summary>Null only when redacted, as the next three.</summary>
    public string? Path { get; init; }

    /// <summary>Null in the view <c>basic</c> and of a deletion, too.</summary>
    public string? Content { get; init; }

    /// <summary>Null of a deletion, too.</summary>
    public long? ContentSizeBytes { get; init; }

    /// <summary>Null of a deletion, too.</summary>
    public string? ContentSha256 { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public MemoryActor? CreatedBy { get; init; }

    public DateTimeOffset? RedactedAt { get; init; }

    public MemoryActor? RedactedBy { get; init; }
}

/// <summary>Who made a change.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(SessionActor), SessionActor.Kind)]
[JsonDerivedType(typeof(ApiActor), ApiActor.Kind)]
public abstract record MemoryActor;

/// <summary>An agent, by the directory that its session has of the store.</summary>
public sealed record SessionActor(string SessionId) : MemoryActor
{
    public const string Kind = "session_actor";
}

/// <summary>A caller of the API.</summary>
/// <param name="ApiKeyId">Names the key and tells nothing of its secret.</param>
public sealed record ApiActor(string ApiKeyId) : MemoryActor
{
    public const string Kind = "api_actor";
}
