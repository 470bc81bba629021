using System.Text.Json.Serialization;

namespace Tenon.Wire.Vaults;

/// <summary>The credentials of one user or purpose, by which sessions reach services (api A.8, B.7).</summary>
public sealed record Vault
{
    [JsonPropertyOrder(-2)]
    public string Type => "vault";

    public required string Id { get; init; }

    public required string DisplayName { get; init; }

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }
}

/// <summary>Body of <c>POST /v1/vaults</c>.</summary>
public sealed record VaultCreate
{
    public required string DisplayName { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Body of <c>POST /v1/vaults/{id}</c>; null keeps a name.</summary>
public sealed record VaultUpdate
{
    public string? DisplayName { get; init; }

    /// <summary>A patch by key: a string sets, null deletes, a key left out stays.</summary>
    public IReadOnlyDictionary<string, string?>? Metadata { get; init; }
}
