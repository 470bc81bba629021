using System.Text.Json.Serialization;

namespace Tenon.Wire.Environments;

/// <summary>
/// What a session's sandbox looks like (api B.5, L.2). Named so because <c>System.Environment</c> exists.
/// </summary>
public sealed record EnvironmentRecord
{
    [JsonPropertyOrder(-2)]
    public string Type => "environment";

    public required string Id { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }

    public string Scope { get; init => field = value ?? "organization"; } = "organization";

    public required EnvironmentConfig Config { get; init; }

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }
}

public sealed record EnvironmentConfig
{
    /// <summary><c>cloud</c> (this server's sandboxes) or <c>self_hosted</c> (a worker of the client's).</summary>
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Networking? Networking { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Packages? Packages { get; init; }
}

/// <summary>Which hosts a sandbox may reach. In a patch, a field left out keeps its value.</summary>
public sealed record Networking
{
    /// <summary><c>unrestricted</c> (default) or <c>limited</c>.</summary>
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AllowedHosts { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? AllowMcpServers { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? AllowPackageManagers { get; init; }
}

/// <summary>Packages installed into the sandbox. All six lists stand in every answer.</summary>
public sealed record Packages
{
    public string? Type { get; init; }

    public IReadOnlyList<string>? Apt { get; init; }

    public IReadOnlyList<string>? Cargo { get; init; }

    public IReadOnlyList<string>? Gem { get; init; }

    public IReadOnlyList<string>? Go { get; init; }

    public IReadOnlyList<string>? Npm { get; init; }

    public IReadOnlyList<string>? Pip { get; init; }
}

/// <summary>Body of <c>POST /v1/environments</c>; a name alone is enough.</summary>
public sealed record EnvironmentCreate
{
    public required string Name { get; init; }

    public string? Description { get; init; }

    public string? Scope { get; init; }

    public EnvironmentConfig? Config { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>
/// Body of <c>POST /v1/environments/{id}</c>: a field left out, also inside <c>config</c>, keeps its value.
/// </summary>
public sealed record EnvironmentUpdate
{
    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> Name { get; init; }

    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> Description { get; init; }

    public EnvironmentConfigPatch? Config { get; init; }

    /// <summary>A patch by key; null and the empty string delete.</summary>
    public IReadOnlyDictionary<string, string?>? Metadata { get; init; }
}

/// <summary>The part of an environment's configuration that an update changes.</summary>
public sealed record EnvironmentConfigPatch
{
    public string? Type { get; init; }

    public Networking? Networking { get; init; }

    public Packages? Packages { get; init; }
}
