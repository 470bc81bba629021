using System.Text.Json.Serialization;

namespace Tenon.Wire.Vaults;

/// <summary>Whether a credential works, as its MCP server says just now (api B.7).</summary>
public sealed record CredentialValidation
{
    public const string Valid = "valid";
    public const string Invalid = "invalid";
    public const string Unknown = "unknown";

    [JsonPropertyOrder(-2)]
    public string Type => "vault_credential_validation";

    public required string CredentialId { get; init; }

    public required string VaultId { get; init; }

    public required DateTimeOffset ValidatedAt { get; init; }

    /// <summary><c>valid invalid unknown</c>.</summary>
    public required string Status { get; init; }

    public required bool HasRefreshToken { get; init; }

    /// <summary>The step that failed; null when none did.</summary>
    public McpProbe? McpProbe { get; init; }

    /// <summary>The renewal that was tried after the server refused the token; null when none was.</summary>
    public RefreshAttempt? Refresh { get; init; }
}

public sealed record McpProbe
{
    public static McpProbe Of(string method, ProbeResponse? response) =>
        new() { Method = method, HttpResponse = response };

    /// <summary>The MCP method that failed.</summary>
    public required string Method { get; init; }

    /// <summary>What the server said; null when it said nothing.</summary>
    public ProbeResponse? HttpResponse { get; init; }
}

public sealed record RefreshAttempt
{
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string ConnectError = "connect_error";
    public const string NoRefreshToken = "no_refresh_token";

    public static RefreshAttempt Of(string status, ProbeResponse? response) =>
        new() { Status = status, HttpResponse = response };

    /// <summary><c>succeeded failed connect_error no_refresh_token</c>.</summary>
    public required string Status { get; init; }

    /// <summary>What the token endpoint said; only when it refused.</summary>
    public ProbeResponse? HttpResponse { get; init; }
}

public sealed record ProbeResponse
{
    public required int StatusCode { get; init; }

    public required string ContentType { get; init; }

    /// <summary>The beginning, without the credential's secrets.</summary>
    public required string Body { get; init; }

    public required bool BodyTruncated { get; init; }
}
