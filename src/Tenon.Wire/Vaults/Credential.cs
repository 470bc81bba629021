using System.Text.Json.Serialization;

namespace Tenon.Wire.Vaults;

/// <summary>A credential of a vault, without its secrets: those go in and never come out (api B.7).</summary>
public sealed record Credential
{
    [JsonPropertyOrder(-2)]
    public string Type => "vault_credential";

    public required string Id { get; init; }

    public required string VaultId { get; init; }

    public string? DisplayName { get; init; }

    public required CredentialAuth Auth { get; init; }

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }
}

/// <summary>What a credential is for, and how it is used.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(OAuthCredential), "mcp_oauth")]
[JsonDerivedType(typeof(BearerCredential), "static_bearer")]
[JsonDerivedType(typeof(VariableCredential), "environment_variable")]
public abstract record CredentialAuth;

/// <summary>An access token for an MCP server, which may be renewed.</summary>
public sealed record OAuthCredential : CredentialAuth
{
    public required string McpServerUrl { get; init; }

    /// <summary>When the access token ends; null when that is not known.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>How it is renewed; null when it is not.</summary>
    public OAuthRefresh? Refresh { get; init; }
}

public sealed record OAuthRefresh
{
    public required string ClientId { get; init; }

    public required string TokenEndpoint { get; init; }

    public required TokenEndpointAuth TokenEndpointAuth { get; init; }

    public string? Scope { get; init; }

    public string? Resource { get; init; }
}

public sealed record TokenEndpointAuth
{
    public const string None = "none";
    public const string Basic = "client_secret_basic";
    public const string Post = "client_secret_post";

    /// <summary><c>none client_secret_basic client_secret_post</c>.</summary>
    public required string Type { get; init; }
}

/// <summary>A token for an MCP server that stays as it is.</summary>
public sealed record BearerCredential : CredentialAuth
{
    public required string McpServerUrl { get; init; }
}

/// <summary>An environment variable of the sandbox, whose value is put in on the way out.</summary>
public sealed record VariableCredential : CredentialAuth
{
    public required string SecretName { get; init; }

    public required CredentialNetworking Networking { get; init; }

    public required InjectionLocation InjectionLocation { get; init; }
}

/// <summary>Which hosts the secret may go to.</summary>
public sealed record CredentialNetworking
{
    /// <summary><c>limited</c> or <c>unrestricted</c>.</summary>
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AllowedHosts { get; init; }
}

/// <summary>Where in a request the secret takes the place of its placeholder.</summary>
public sealed record InjectionLocation
{
    public required bool Header { get; init; }

    public required bool Body { get; init; }
}
