namespace Tenon.Server.Egress;

/// <summary>What the proxy needs to end TLS itself, where credentials are used.</summary>
public sealed class EgressEdge(EgressCredentials credentials, EgressAuthority authority, EgressOptions options)
{
    /// <summary>What sandboxes trust beside the authorities of their base: this proxy's and the operator's.</summary>
    public string TrustedPem => string.Concat(
        options.ExtraRoots.Select(root => root.ExportCertificatePem()).Prepend(authority.CertificatePem)
            .Select(pem => pem + "\n"));

    internal EgressCredentials Credentials => credentials;

    internal EgressAuthority Authority => authority;

    internal UpstreamTls Upstream { get; } = new(options.ExtraRoots);
}
