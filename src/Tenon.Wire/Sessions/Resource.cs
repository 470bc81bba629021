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

    /// <summary>Of a repository.</summary>
    public string? Url { get; init; }

    /// <summary>Of a repository that is not public. It is never told back.</summary>
    public string? AuthorizationToken { get; init; }

    /// <summary>Of a repository: what to check out; null for its default branch.</summary>
    public RepositoryCheckout? Checkout { get; init; }

    /// <summary>The memory store to mount.</summary>
    public string? MemoryStoreId { get; init; }

    /// <summary>Of a memory store: <c>read_write</c> (default) or <c>read_only</c>.</summary>
    public string? Access { get; init; }

    /// <summary>What the agent is told about the use of a memory store; at most 4,096 characters.</summary>
    public string? Instructions { get; init; }

    /// <summary>What other kinds of resources have.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }

    /// <summary>Without the token that it may have.</summary>
    public override string ToString() => $"{nameof(ResourceCreate)} of {Type}";
}

/// <summary>What a session was given to work with (api B.3).</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(FileResource), "file")]
[JsonDerivedType(typeof(RepositoryResource), "github_repository")]
[JsonDerivedType(typeof(MemoryResource), "memory_store")]
public abstract record SessionResource;

/// <summary>A file that the session's sandbox can read.</summary>
public sealed record FileResource : SessionResource
{
    public required string Id { get; init; }

    /// <summary>The session's own copy.</summary>
    public required string FileId { get; init; }

    /// <summary>Where it is in the sandbox.</summary>
    public required string MountPath { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>A Git repository that is cloned into the sandbox.</summary>
public sealed record RepositoryResource : SessionResource
{
    public required string Id { get; init; }

    public required string Url { get; init; }

    /// <summary>Where the working copy is in the sandbox.</summary>
    public required string MountPath { get; init; }

    /// <summary>What is checked out; null for the default branch.</summary>
    public RepositoryCheckout? Checkout { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }
}

public sealed record RepositoryCheckout
{
    /// <summary><c>branch</c>, which has a name, or <c>commit</c>, which has a sha.</summary>
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Name { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Sha { get; init; }
}

/// <summary>A memory store that is mounted in the sandbox. It has no id of its own and no times.</summary>
public sealed record MemoryResource : SessionResource
{
    public required string MemoryStoreId { get; init; }

    /// <summary><c>read_write</c> or <c>read_only</c>.</summary>
    public required string Access { get; init; }

    /// <summary>What the agent is told about its use.</summary>
    public string? Instructions { get; init; }

    public required string Name { get; init; }

    public required string Description { get; init; }

    /// <summary>Where it is in the sandbox.</summary>
    public required string MountPath { get; init; }
}

/// <summary>Body of <c>POST /v1/sessions/{id}/resources/{resource_id}</c>.</summary>
public sealed record ResourceUpdate
{
    public required string AuthorizationToken { get; init; }
}
