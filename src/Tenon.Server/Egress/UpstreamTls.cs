using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tenon.Server.Egress;

/// <summary>TLS from the proxy to a host: the machine's roots and the operator's are trusted, and no others.</summary>
internal sealed class UpstreamTls(IReadOnlyList<X509Certificate2> extraRoots)
{
    private const string ServerPurpose = "1.3.6.1.5.5.7.3.1";

    /// <exception cref="AuthenticationException">The host is not who it should be, or speaks no TLS that is sound.
    /// </exception>
    public async Task<SslStream> Connect(Stream stream, string host, CancellationToken cancellationToken)
    {
        var secure = new SslStream(stream, leaveInnerStreamOpen: false);
        try
        {
            await secure.AuthenticateAsClientAsync(Options(host), cancellationToken);
            return secure;
        }
        catch
        {
            // Whatever it was, there is no connection; who called says what it was.
            await secure.DisposeAsync();
            throw;
        }
    }

    /// <param name="host">The name that it must prove to have; null for who fills it in for each connection.</param>
    public SslClientAuthenticationOptions Options(string? host) => new()
    {
        TargetHost = host,
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http11],
        CertificateChainPolicy = Policy(),
        RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            errors == SslPolicyErrors.None
            || (errors == SslPolicyErrors.RemoteCertificateChainErrors && IsByExtraRoot(certificate, chain)),
    };

    // The name was judged before: what is left is who vouches for it.
    private bool IsByExtraRoot(X509Certificate? certificate, X509Chain? chain)
    {
        if (extraRoots.Count == 0 || certificate is not X509Certificate2 leaf)
        {
            return false;
        }

        using var another = new X509Chain { ChainPolicy = Policy() };
        another.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        another.ChainPolicy.CustomTrustStore.AddRange((X509Certificate2[])[.. extraRoots]);
        another.ChainPolicy.ExtraStore.AddRange(chain?.ChainPolicy.ExtraStore ?? new X509Certificate2Collection());
        return another.Build(leaf);
    }

    // A certificate names places from which to get others, and lists of withdrawn ones: nothing is fetched from there.
    private static X509ChainPolicy Policy() => new()
    {
        DisableCertificateDownloads = true,
        RevocationMode = X509RevocationMode.NoCheck,
        ApplicationPolicy = { new Oid(ServerPurpose) },
    };
}
