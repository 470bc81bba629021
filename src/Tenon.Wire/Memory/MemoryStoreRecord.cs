using System.Text.Json.Serialization;

namespace Tenon.Wire.Memory;

/// <summary>A named collection of texts that outlives sessions (api B.8).</summary>
public sealed record MemoryStoreRecord
{
    [JsonPropertyOrder(-2)]
    public string Type => "memory_store";

    public required string Id { get; init; }

    /// <summary>1 to 255 characters; a session's directory below <c>/mnt/memory</c> is named after it.</summary>
    public required string Name { get; init; }

    /// <summary>What it holds, for the agent to read; empty when nobody said.</summary>
    public string Description { get; init => field = value ?? ""; } = "";

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The last change of the store itself; its memories do not count.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Set when it is archived: then nothing is written to it any more.</summary>
    public DateTimeOffset? ArchivedAt { get; init; }
}

/// <summary>Body of <c>POST /v1/memory_stores</c>.</summary>
public sealed record MemoryStoreCreate
{
    public required string Name { get; init; }

    public string? Description { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Body of <c>POST /v1/memory_stores/{id}</c>: what is left out, or null, keeps its value.</summary>
public sealed record MemoryStoreUpdate
{
    public string? Name { get; init; }

    /// <summary>The empty string clears it.</summary>
    public string? Description { get; init; }

    /// <summary>A patch by key; null deletes.</summary>
    public IReadOnlyDictionary<string, string?>? Metadata { get; init; }
}
