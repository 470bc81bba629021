using System.Net;
using System.Net.Sockets;

namespace Tenon.Server.Cluster;

/// <summary>
/// Runs the session owners in this process: an Orleans silo that is its own cluster and listens on loopback.
/// </summary>
public static class Silo
{
    public static WebApplicationBuilder AddSilo(this WebApplicationBuilder builder)
    {
        // Orleans does not take port 0, and several servers may run on one machine.
        var (siloPort, gatewayPort) = (FreePort(), FreePort());
        builder.Host.UseOrleans(silo => silo.UseLocalhostClustering(siloPort, gatewayPort));
        return builder;
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
