using System.Collections.Concurrent;
using System.Net.Sockets;
using Tenon.Server.Sandboxes;
using Tenon.Wire;

namespace Tenon.Server.Egress;

/// <summary>
/// The only way out of a sandbox: a proxy that listens for each session on a socket of its own, so it knows who asks.
/// </summary>
/// <param name="edge">Where TLS ends for credentials; null leaves every tunnel as it is.</param>
public sealed partial class EgressProxy(
    EgressOptions options, RulesOf rulesOf, NoteEgress note, IdSource ids, TimeProvider clock,
    ILogger<EgressProxy> logger, EgressEdge? edge = null) : IAsyncDisposable
{
    /// <summary>The name of the socket in a session's directory for it.</summary>
    public const string SocketName = "proxy.sock";

    /// <summary>Connections of one session at once: package managers open some dozens.</summary>
    private const int ConnectionsMax = 256;

    private const int ListenBacklog = 64;
    private const uint OwnerOnly = 0x180; // 0600

    private readonly AddressGuard _guard = new(options.AllowedRanges, Resolve);
    private readonly ConcurrentDictionary<string, EgressListener> _listeners = new(StringComparer.Ordinal);

    /// <summary>Finds addresses; a test puts its own in.</summary>
    public ResolveName Resolver
    {
        init => _guard = new AddressGuard(options.AllowedRanges, value);
    }

    /// <summary>Certificates that sandboxes trust beside those of their base, in PEM.</summary>
    public string TrustedPem => edge?.TrustedPem ?? "";

    /// <summary>
    /// Listens for a session, in a directory that its sandbox sees. What an earlier server left there is replaced.
    /// </summary>
    /// <param name="uid">Who in the sandbox may connect; null for the server's own user.</param>
    public void Listen(string sessionId, string directory, int? uid)
    {
        if (_listeners.ContainsKey(sessionId))
        {
            return;
        }

        // Until it has another owner only the server's own user may connect to it.
        var socket = Bind(directory);
        Own(Path.Combine(directory, SocketName), uid);
        var listener = new EgressListener(
            new EgressSession(sessionId, new(rulesOf, note, _guard, ids, clock, edge)), socket, ConnectionsMax,
            exception => LogBroken(sessionId, exception));
        if (!_listeners.TryAdd(sessionId, listener))
        {
            socket.Dispose();
        }
        else
        {
            listener.Start();
        }
    }

    /// <summary>Ends what the session has open, and listens for it no more.</summary>
    public async Task Close(string sessionId)
    {
        if (_listeners.TryRemove(sessionId, out var listener))
        {
            await listener.DisposeAsync();
        }
    }

    /// <summary>Rules have changed: tunnels to hosts that are no longer allowed end now.</summary>
    public Task Recheck(CancellationToken cancellationToken) =>
        Task.WhenAll(_listeners.Values.Select(listener => listener.Recheck(cancellationToken)));

    public async ValueTask DisposeAsync()
    {
        foreach (var sessionId in _listeners.Keys)
        {
            await Close(sessionId);
        }
    }

    private static void Own(string path, int? uid)
    {
        LinuxCalls.Mode(path, OwnerOnly);
        if (uid is { } owner)
        {
            LinuxCalls.Own(path, owner);
        }
    }

    private static Socket Bind(string directory)
    {
        // A socket's path has 107 bytes at most, and a data folder's may have more: an open directory has a short name.
        using var open = LinuxCalls.OpenBeneath(directory) ?? throw new IOException($"{directory} cannot be opened");
        return SandboxSockets.Listen(
            $"/proc/self/fd/{(int)open.DangerousGetHandle()}/{SocketName}", ListenBacklog);
    }

    private static Task<System.Net.IPAddress[]> Resolve(string host, CancellationToken cancellationToken) =>
        System.Net.Dns.GetHostAddressesAsync(host, cancellationToken);

    [LoggerMessage(LogLevel.Error, "A connection out of {SessionId} ended by a fault of the proxy")]
    private partial void LogBroken(string sessionId, Exception exception);
}
