using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Tenon.Server.Tests.Support;

/// <summary>A certificate authority of a test's own, such as a company has.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly X509Certificate2 _authority;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=A company", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        _authority = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        Root = X509CertificateLoader.LoadCertificate(_authority.RawData);
    }

    public X509Certificate2 Root { get; }

    public X509Certificate2 Certify(params ReadOnlySpan<string> hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={hosts[0]}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.Create(
            _authority, now.AddHours(-1), now.AddDays(7), RandomNumberGenerator.GetBytes(8));
        return made.CopyWithPrivateKey(key);
    }

    public void Dispose()
    {
        _authority.Dispose();
        Root.Dispose();
    }
}
