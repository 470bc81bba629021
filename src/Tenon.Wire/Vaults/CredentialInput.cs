using System.Text.Json.Serialization;

namespace Tenon.Wire.Vaults;

/// <summary>Body of <c>POST /v1/vaults/{id}/credentials</c>.</summary>
public sealed record CredentialCreate
{
    public required CredentialInput Auth { get; init; }

    public string? DisplayName { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Without the secrets that it has.</summary>
    public override string ToString() => nameof(CredentialCreate);
}

/// <summary>Body of <c>POST /v1/vaults/{id}/credentials/{credential_id}</c>.</summary>
public sealed record CredentialUpdate
{
    public CredentialInput? Auth { get; init; }

    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> DisplayName { get; init; }

    /// <summary>A patch by key: a string sets, null deletes, a key left out stays.</summary>
    public IReadOnlyDictionary<string, string?>? Metadata { get; init; }

    /// <summary>Without the secrets that it has.</summary>
    public override string ToString() => nameof(CredentialUpdate);
}

/// <summary>What a credential is made of, and in an update what of it changes: the fields of all three kinds.</summary>
public sealed record CredentialInput
{
    /// <summary><c>mcp_oauth static_bearer environment_variable</c>; in an update the kind that it is.</summary>
    public required string Type { get; init; }

    public string? McpServerUrl { get; init; }

    /// <summary>Of <c>mcp_oauth</c>.</summary>
    public string? AccessToken { get; init; }

    /// <summary>Of <c>mcp_oauth</c>; in the future.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Of <c>mcp_oauth</c>.</summary>
    public RefreshInput? Refresh { get; init; }

    /// <summary>Of <c>static_bearer</c>.</summary>
    public string? Token { get; init; }

    public string? SecretName { get; init; }

    /// <summary>Of <c>environment_variable</c>.</summary>
    public string? SecretValue { get; init; }

    /// <summary>Of <c>environment_variable</c>; in an update it replaces all that was said.</summary>
    public CredentialNetworking? Networking { get; init; }

    /// <summary>Of <c>environment_variable</c>. Null is refused; it is left out to keep what is there.</summary>
    [JsonConverter(typeof(PatchConverter<InjectionInput>))]
    public Patch<InjectionInput> InjectionLocation { get; init; }

    /// <summary>Without the secrets that it has.</summary>
    public override string ToString() => $"{nameof(CredentialInput)} of {Type}";
}

public sealed record InjectionInput
{
    [JsonConverter(typeof(PatchConverter<bool?>))]
    public Patch<bool?> Header { get; init; }

    [JsonConverter(typeof(PatchConverter<bool?>))]
    public Patch<bool?> Body { get; init; }
}

public sealed record RefreshInput
{
    public string? ClientId { get; init; }

    public string? RefreshToken { get; init; }

    public string? TokenEndpoint { get; init; }

    public TokenEndpointInput? TokenEndpointAuth { get; init; }

    /// <summary>The empty string clears it.</summary>
    public string? Scope { get; init; }

    public string? Resource { get; init; }

    /// <summary>Without the secrets that it has.</summary>
    public override string ToString() => nameof(RefreshInput);
}

public sealed record TokenEndpointInput
{
    public required string Type { get; init; }

    public string? ClientSecret { get; init; }

    /// <summary>Without the secret that it has.</summary>
    public override string ToString() => $"{nameof(TokenEndpointInput)} of {Type}";
}
