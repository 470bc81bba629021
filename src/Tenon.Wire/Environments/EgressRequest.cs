using System.Text.Json.Serialization;

namespace Tenon.Wire.Environments;

/// <summary>One request that left a sandbox, or was refused (Tenon's own: docs/operations/egress.md).</summary>
public sealed record EgressRequest
{
    [JsonPropertyOrder(-2)]
    public string Type => "egress_request";

    public required string Id { get; init; }

    public required string SessionId { get; init; }

    /// <summary><c>CONNECT</c> for a tunnel, which may carry many requests; else the HTTP method.</summary>
    public required string Method { get; init; }

    /// <summary>As the sandbox named it. Empty when the request could not be read.</summary>
    public required string Host { get; init; }

    public required int Port { get; init; }

    /// <summary><c>allowed</c> or <c>refused</c>.</summary>
    public required string Verdict { get; init; }

    /// <summary>Why it was refused, or why an allowed one failed; null when it went well.</summary>
    public string? Reason { get; init; }

    /// <summary>Bytes from the sandbox, without heads that the proxy writes itself.</summary>
    public long BytesSent { get; init; }

    public long BytesReceived { get; init; }

    /// <summary>The ids of the credentials whose secret the proxy put into the request.</summary>
    public IReadOnlyList<string> Credentials { get; init; } = [];

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null while it goes on, and for ever when the server ended before it.</summary>
    public DateTimeOffset? EndedAt { get; init; }
}
