using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tenon.Server.Egress;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Environments;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>
/// A proxy with rules that a test sets, whose names all lead to this machine's loopback. A test speaks to its socket as
/// a sandbox's relay does.
/// </summary>
internal sealed class EgressLab : IAsyncDisposable
{
    public const string Session = "sesn_1";

    private readonly TempFolder _folder = new();
    private readonly SqliteDatabase _database;
    private readonly EgressStore _store;
    private readonly EgressAudit _audit;

    /// <param name="allowsLoopback">Whether the operator allows the range that names lead to.</param>
    public EgressLab(bool allowsLoopback = true)
    {
        _database = new SqliteDatabase(Path.Combine(_folder.Path, "tenon.db"));
        _database.Migrate();
        _store = new EgressStore(_database);
        _audit = new EgressAudit(_store, TimeProvider.System, NullLogger<EgressAudit>.Instance);
        Options = new EgressOptions
        {
            AllowedRanges = allowsLoopback ? [IPNetwork.Parse("127.0.0.0/8")] : [],
        };
        Proxy = new EgressProxy(
            Options, (_, _) => Task.FromResult(EgressRules.Of(Networking, [], Options)), _audit,
            new IdSource(TimeProvider.System), TimeProvider.System, NullLogger<EgressProxy>.Instance)
        {
            Resolver = (host, cancelled) => Resolve(host, cancelled),
        };
    }

    public EgressOptions Options { get; }

    public EgressProxy Proxy { get; }

    public Networking Networking { get; set; } = new() { Type = "unrestricted" };

    public ResolveName Resolve { get; set; } = (_, _) => Task.FromResult((IPAddress[])[IPAddress.Loopback]);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Limit(params string[] hosts) =>
        Networking = new Networking { Type = "limited", AllowedHosts = hosts };

    /// <summary>The lines of the audit, oldest first.</summary>
    public async Task<IReadOnlyList<EgressRequest>> Audit()
    {
        await _audit.Written(Cancelled);
        return [.. (await _store.List(Session, null, 1_000, Cancelled)).Reverse()];
    }

    /// <summary>The same, once every request has ended.</summary>
    public async Task<IReadOnlyList<EgressRequest>> EndedAudit()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (true)
        {
            var lines = await Audit();
            if (lines.All(line => line.EndedAt is not null))
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

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await _audit.DisposeAsync();
        _database.Close();
        _folder.Dispose();
    }
}
