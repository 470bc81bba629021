using System.Net;
using System.Net.Sockets;
using Tenon.Server.Egress;

namespace Tenon.Server.Mcp;

/// <summary>
/// The connections to MCP servers. The server makes these requests itself, for whoever wrote the agent, so they reach
/// what a sandbox may reach and no more (<see cref="GuardedDial"/>).
/// </summary>
public sealed class McpNetwork : IDisposable
{
    private const int HeadKilobytesMax = 64;

    /// <summary>No connection outlasts a change of what its name leads to for longer.</summary>
    private static readonly TimeSpan LifetimeMax = TimeSpan.FromMinutes(5);

    private readonly AddressGuard _guard;

    public McpNetwork(EgressOptions options, ResolveName resolve, McpLimits limits)
    {
        _guard = new AddressGuard(options.AllowedRanges, resolve);
        Requests = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // they carry a token: McpRequests says where it may go
            AutomaticDecompression = DecompressionMethods.All, // as it is read, so that a bomb ends at the limit
            ConnectCallback = new GuardedDial(_guard, limits.ConnectTimeMax).Connect,
            Credentials = null,
            MaxResponseDrainSize = 0,
            MaxResponseHeadersLength = HeadKilobytesMax,
            PooledConnectionLifetime = LifetimeMax,
            SslOptions = new UpstreamTls(options.ExtraRoots).Options(null),
            UseCookies = false,
            UseProxy = false, // a proxy would resolve the name itself
        };
    }

    /// <summary>Shared by all connections, and disposed with this.</summary>
    internal SocketsHttpHandler Requests { get; }

    /// <summary>Whether all that the name leads to is the operator's own network, where a token may be seen.</summary>
    /// <exception cref="SocketException">The name has no address.</exception>
    internal async Task<bool> IsOperators(string host, CancellationToken cancellationToken)
    {
        var addresses = await _guard.Find(host, cancellationToken);
        return addresses.Count > 0 && addresses.All(_guard.IsOperators);
    }

    public void Dispose() => Requests.Dispose();
}
