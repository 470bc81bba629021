using Tenon.Server.Environments;

namespace Tenon.Server.Egress;

/// <summary>
/// The credentials that a session may use now. Asked for at every connection and every request, so that one that was
/// changed or taken away counts at once. What is no session, such as a sandbox that installs packages, has none.
/// </summary>
public delegate Task<IReadOnlyList<EgressCredential>> CredentialsOf(
    string sessionId, CancellationToken cancellationToken);

/// <summary>
/// A secret that programs in a sandbox use and never have: they find a placeholder in an environment variable, and the
/// proxy puts the secret in its place on the way to the secret's own hosts (api G, <c>environment_variable</c>).
/// </summary>
public sealed record EgressCredential
{
    /// <summary>A shorter secret cannot be told from ordinary text, and answers are scrubbed of it.</summary>
    public const int SecretBytesMin = 8;

    /// <summary>Keys in PEM and service accounts in JSON have three; servers take heads of eight.</summary>
    public const int SecretBytesMax = 8 * 1024;

    /// <summary>As the record of requests names it.</summary>
    public required string Id { get; init; }

    /// <summary>The environment variable.</summary>
    public required string Name { get; init; }

    public required string Secret { get; init; }

    /// <summary>Where the secret may be sent, by TLS; null for every host, on the usual ports.</summary>
    public IReadOnlyList<HostPattern>? Hosts { get; init; }

    /// <summary>Whether the placeholder is replaced in the values of a request's head.</summary>
    public bool InHeader { get; init; } = true;

    /// <summary>Whether it is replaced in a request's body.</summary>
    public bool InBody { get; init; } = true;

    /// <param name="host">As <see cref="HostName.TryParse"/> gives it.</param>
    public bool Matches(string host, int port) =>
        Hosts?.Any(pattern => pattern.Matches(host, port)) ?? HostPattern.DefaultPorts.Contains(port);

    /// <summary>What it is, and not the secret.</summary>
    public override string ToString() => $"{Id} ({Name})";
}
