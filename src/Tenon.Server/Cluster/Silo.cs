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
        var (siloPort, gatewayPort) = FreePorts();
        builder.Host.UseOrleans(silo => silo.UseLocalhostClustering(siloPort, gatewayPort));
        return builder;
    }

    /// <summary>Orleans does not take port 0, and several servers may run on one machine.</summary>
    private static (int Silo, int Gateway) FreePorts()
    {
        // Both are held until both are known, so that they differ.
        using var silo = Bind();
        using var gateway = Bind();
        return (((IPEndPoint)silo.LocalEndPoint!).Port, ((IPEndPoint)gateway.LocalEndPoint!).Port);
    }

    private static Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }
}
