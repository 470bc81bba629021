using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Tenon.Server.Storage;

namespace Tenon.Server.Egress;

/// <summary>
/// The installation's own certificate authority: it vouches for the proxy where TLS ends at it. Sandboxes trust its
/// certificate; its key, and that of the placeholders, stand in the data folder and are made at the first need.
/// </summary>
public sealed class EgressAuthority
{
    /// <summary>The authority's key and certificate, in the data folder.</summary>
    public const string FileName = "egress-ca.pem";

    /// <summary>The key of placeholders, in the data folder.</summary>
    public const string PlaceholderKeyName = "egress-placeholder.key";

    /// <summary>Hosts whose certificates are kept: an agent uses a handful, and each is made in milliseconds.</summary>
    internal const int LeavesMax = 256;

    private const int KeyBytes = 32;
    private const int SerialBytes = 16;
    private const int CommonNameMax = 64;
    private const string ServerPurpose = "1.3.6.1.5.5.7.3.1";
    private static readonly TimeSpan AuthorityTime = TimeSpan.FromDays(3650);

    /// <summary>An authority that ends sooner is replaced when the server starts.</summary>
    private static readonly TimeSpan AuthorityRest = TimeSpan.FromDays(90);

    private static readonly TimeSpan LeafTime = TimeSpan.FromDays(7);
    private static readonly TimeSpan LeafRest = TimeSpan.FromDays(1);

    /// <summary>Clocks differ.</summary>
    private static readonly TimeSpan Back = TimeSpan.FromHours(1);

    private readonly string _folder;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Leaf> _leaves = new(StringComparer.Ordinal);
    private X509Certificate2? _authority;
    private byte[]? _placeholderKey;

    private EgressAuthority(string folder, TimeProvider clock) => (_folder, _clock) = (folder, clock);

    /// <summary>What sandboxes trust.</summary>
    public string CertificatePem => Authority.ExportCertificatePem();

    internal byte[] PlaceholderKey
    {
        get
        {
            lock (_lock)
            {
                return _placeholderKey ??= ReadPlaceholderKey() ?? MakePlaceholderKey();
            }
        }
    }

    private X509Certificate2 Authority
    {
        get
        {
            lock (_lock)
            {
                return _authority ??= ReadAuthority() ?? MakeAuthority();
            }
        }
    }

    /// <summary>Reads what is in the data folder, and makes nothing yet.</summary>
    /// <exception cref="IOException">A key that others may read, or that is none; the message says what to do.
    /// </exception>
    public static EgressAuthority Open(string folder, TimeProvider clock)
    {
        var opened = new EgressAuthority(folder, clock);
        opened._placeholderKey = opened.ReadPlaceholderKey();
        opened._authority = opened.ReadAuthority();
        return opened;
    }

    /// <summary>What the proxy shows to a client that wants this host.</summary>
    internal SslStreamCertificateContext For(string host)
    {
        var now = _clock.GetUtcNow();
        var authority = Authority;
        lock (_lock)
        {
            if (_leaves.TryGetValue(host, out var known) && known.RenewAt > now)
            {
                return known.Context;
            }

            if (_leaves.Count >= LeavesMax && known is null)
            {
                _leaves.Remove(_leaves.MinBy(leaf => leaf.Value.RenewAt).Key);
            }

            var end = new DateTimeOffset(authority.NotAfter);
            end = end < now + LeafTime ? end : now + LeafTime;
            var context = SslStreamCertificateContext.Create(
                MakeLeaf(authority, host, now - Back, end), [authority], offline: true);
            _leaves[host] = new Leaf(context, end - LeafRest);
            return context;
        }
    }

    private static X509Certificate2 MakeLeaf(
        X509Certificate2 authority, string host, DateTimeOffset from, DateTimeOffset to)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName(host.Length <= CommonNameMax ? host : "a host");
        var request = new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerPurpose)], false));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        from = from < authority.NotBefore ? authority.NotBefore : from;
        using var made = request.Create(authority, from, to, RandomNumberGenerator.GetBytes(SerialBytes));
        return made.CopyWithPrivateKey(key);
    }

    private X509Certificate2 MakeAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(
            $"CN=Tenon egress {RandomNumberGenerator.GetHexString(8, lowercase: true)}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = _clock.GetUtcNow();
        var made = request.CreateSelfSigned(now - Back, now + AuthorityTime);
        var text = $"{made.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n";
        PrivateFile.Write(Path.Combine(_folder, FileName), Encoding.ASCII.GetBytes(text));
        return made;
    }

    private X509Certificate2? ReadAuthority()
    {
        var path = Path.Combine(_folder, FileName);
        if (PrivateFile.Read(path) is not { } content)
        {
            return null;
        }

        try
        {
            var text = Encoding.ASCII.GetString(content);
            var read = X509Certificate2.CreateFromPem(text, text);
            return read.NotAfter > (_clock.GetUtcNow() + AuthorityRest).LocalDateTime ? read : null;
        }
        catch (CryptographicException exception)
        {
            throw new IOException(
                $"{path} is not a key with its certificate: {exception.Message} Restore it, or delete it, and a new "
                + "one is made, which only sandboxes that start afterwards trust.",
                exception);
        }
    }

    private byte[]? ReadPlaceholderKey()
    {
        var path = Path.Combine(_folder, PlaceholderKeyName);
        return PrivateFile.Read(path) switch
        {
            null => null,
            { Length: KeyBytes } key => key,
            _ => throw new IOException(
                $"{path} is not a key of {KeyBytes} bytes. Restore it, or delete it, and a new one is made; "
                + "sessions then get other placeholders."),
        };
    }

    private byte[] MakePlaceholderKey()
    {
        var made = RandomNumberGenerator.GetBytes(KeyBytes);
        PrivateFile.Write(Path.Combine(_folder, PlaceholderKeyName), made);
        return made;
    }

    private sealed record Leaf(SslStreamCertificateContext Context, DateTimeOffset RenewAt);
}
