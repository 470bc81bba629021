using Microsoft.Extensions.Logging.Abstractions;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Tenon.Server.Egress;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Environments;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>
/// A proxy with rules and credentials that a test sets, whose names all lead to this machine's loopback. A test speaks
/// to its socket as a sandbox's relay does.
/// </summary>
internal sealed class EgressLab : IAsyncDisposable
{
    public const string Session = "sesn_1";

    private readonly TempFolder _folder = new();
    private readonly SqliteDatabase _database;
    private readonly EgressStore _store;
    private readonly EgressAudit _audit;

    /// <param name="allowsLoopback">Whether the operator allows the range that names lead to.</param>
    /// <param name="root">An authority that the operator trusts.</param>
    public EgressLab(bool allowsLoopback = true, X509Certificate2? root = null)
    {
        _database = new SqliteDatabase(Path.Combine(_folder.Path, "tenon.db"));
        _database.Migrate();
        _store = new EgressStore(_database);
        _audit = new EgressAudit(_store, TimeProvider.System, NullLogger<EgressAudit>.Instance);
        Options = new EgressOptions
        {
            AllowedRanges = allowsLoopback ? [IPNetwork.Parse("127.0.0.0/8")] : [],
            ExtraRoots = root is null ? [] : [root],
        };
        var authority = EgressAuthority.Open(_folder.Path, TimeProvider.System);
        Known = new EgressCredentials(
            (_, _) => Task.FromResult(Credentials), authority, NullLogger<EgressCredentials>.Instance);
        Proxy = new EgressProxy(
            Options, (_, _) => Task.FromResult(EgressRules.Of(Networking, [], Options)), _audit.Note,
            new IdSource(TimeProvider.System), TimeProvider.System, NullLogger<EgressProxy>.Instance,
            new EgressEdge(Known, authority, Options))
        {
            Resolver = (host, cancelled) => Resolve(host, cancelled),
        };
    }

    public EgressOptions Options { get; }

    public EgressProxy Proxy { get; }

    public EgressCredentials Known { get; }

    /// <summary>Of every session.</summary>
    public IReadOnlyList<EgressCredential> Credentials { get; set; } = [];

    public Networking Networking { get; set; } = new() { Type = "unrestricted" };

    public ResolveName Resolve { get; set; } = (_, _) => Task.FromResult((IPAddress[])[IPAddress.Loopback]);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Limit(params string[] hosts) =>
        Networking = new Networking { Type = "limited", AllowedHosts = hosts };

    /// <summary>What stands for the one credential.</summary>
    public async Task<string> Placeholder() => (await Known.Variables(Session, Cancelled)).Single().Value;

    /// <summary>The lines of the audit, oldest first.</summary>
    public async Task<IReadOnlyList<EgressRequest>> Audit()
    {
        await _audit.Written(Cancelled);
        return [.. (await _store.List(Session, null, 1_000, Cancelled)).Reverse()];
    }

    /// <summary>The same, once there are so many and every request has ended.</summary>
    public async Task<IReadOnlyList<EgressRequest>> EndedAudit(int atLeast = 1)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (true)
        {
            var lines = await Audit();
            if (lines.Count >= atLeast && lines.All(line => line.EndedAt is not null))
            {
                return lines;
            }

            patience.Token.ThrowIfCancellationRequested();
        }
    }

    public async Task<NetworkStream> Connect()
    {
        Proxy.Listen(Session, _folder.Path, null);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(
            new UnixDomainSocketEndPoint(Path.Combine(_folder.Path, EgressProxy.SocketName)), Cancelled);
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>What the proxy answers to these bytes, up to the end of the connection.</summary>
    public async Task<string> Send(string request)
    {
        await using var stream = await Connect();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), Cancelled);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync(Cancelled);
    }

    /// <summary>A client behind the proxy that trusts what sandboxes trust, and nothing else.</summary>
    public HttpClient Client() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        Proxy = new WebProxy("http://127.0.0.1:3128"),
        ConnectCallback = async (_, _) => await Connect(),
        SslOptions = { CertificateChainPolicy = Trust() },
    });

    /// <summary>How a client judges who it speaks to.</summary>
    public X509ChainPolicy Trust()
    {
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(Proxy.TrustedPem);
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.AddRange(roots);
        return policy;
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await _audit.DisposeAsync();
        _database.Close();
        _folder.Dispose();
    }
}
