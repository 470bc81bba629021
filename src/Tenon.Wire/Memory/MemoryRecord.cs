using System.Text.Json.Serialization;

namespace Tenon.Wire.Memory;

/// <summary>One item of a list of memories: a memory, or a mark for those that lie deeper (api A.11).</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(MemoryRecord), "memory")]
[JsonDerivedType(typeof(MemoryPrefix), "memory_prefix")]
public abstract record MemoryItem
{
    /// <summary>A memory's place in its store; of a mark, what the paths of its memories begin with.</summary>
    public required string Path { get; init; }
}

/// <summary>A text at a path of a store (api B.8).</summary>
public sealed record MemoryRecord : MemoryItem
{
    /// <summary>Stays when the path changes.</summary>
    public required string Id { get; init; }

    public required string MemoryStoreId { get; init; }

    /// <summary>The version that holds the text as it is now.</summary>
    public required string MemoryVersionId { get; init; }

    /// <summary>The text; null in the view <c>basic</c>.</summary>
    public string? Content { get; init; }

    /// <summary>Bytes of the text in UTF-8, in every view.</summary>
    public required long ContentSizeBytes { get; init; }

    /// <summary>Of these bytes, in small hexadecimal letters; in every view.</summary>
    public required string ContentSha256 { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Stands in a list for all memories whose paths begin so; it is stored nowhere.</summary>
public sealed record MemoryPrefix : MemoryItem;

/// <summary>Body of <c>POST /v1/memory_stores/{id}/memories</c>.</summary>
public sealed record MemoryCreate
{
    public required string Path { get; init; }

    /// <summary>At most 102,400 bytes of UTF-8; may be empty.</summary>
    public required string Content { get; init; }
}

/// <summary>Body of an update of a memory: what is left out, or null, keeps its value.</summary>
public sealed record MemoryUpdate
{
    public string? Path { get; init; }

    public string? Content { get; init; }

    public MemoryPrecondition? Precondition { get; init; }
}

/// <summary>What must hold for an update to be made.</summary>
public sealed record MemoryPrecondition
{
    /// <summary><c>content_sha256</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Of the text that is stored.</summary>
    public string? ContentSha256 { get; init; }
}

/// <summary>Tenon's own: a memory that a search has found.</summary>
public sealed record MemoryMatch
{
    [JsonPropertyOrder(-2)]
    public string Type => "memory_match";

    /// <summary>In the view <c>basic</c>.</summary>
    public required MemoryItem Memory { get; init; }

    /// <summary>How often the words occur in it, its path included.</summary>
    public required int Matches { get; init; }

    /// <summary>The text around the first word that was found; of the path alone, its beginning.</summary>
    public required string Excerpt { get; init; }
}
