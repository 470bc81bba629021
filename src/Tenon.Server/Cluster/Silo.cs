using Orleans.Configuration;
using System.Net;
using System.Net.Sockets;

namespace Tenon.Server.Cluster;

/// <summary>
/// Runs the session owners in this process: an Orleans silo that is its own cluster and listens on loopback.
/// </summary>
public static class Silo
{
    /// <summary>
    /// How long an owner without work is kept. It saves the next message of a conversation the reading of its log, and
    /// costs some kilobytes; after two minutes a person has gone to do something else.
    /// </summary>
    private static readonly TimeSpan IdleOwnerMax = TimeSpan.FromMinutes(2);

    public static WebApplicationBuilder AddSilo(this WebApplicationBuilder builder)
    {
        var (siloPort, gatewayPort) = FreePorts();
        builder.Host.UseOrleans(silo => silo.UseLocalhostClustering(siloPort, gatewayPort)
            .Configure<GrainCollectionOptions>(collection =>
            {
                collection.CollectionAge = IdleOwnerMax;
                collection.CollectionQuantum = IdleOwnerMax / 4;
            })
            .Configure<ClusterMembershipOptions>(membership =>
            {
                // There is nobody else whose entry could be old. By a clock that jumps ahead by weeks, the silo would
                // find its own too old, and end the process.
                membership.DefunctSiloCleanupPeriod = null;
            })
            .Configure<GrainDirectoryOptions>(directory =>
            {
                // Every owner is in this process, whose directory has them anyway; a cache would be a second list.
                directory.CachingStrategy = GrainDirectoryOptions.CachingStrategyType.None;
                directory.CacheSize = 3; // The least there is, for a locator that is made anyway and that nothing asks.
            }));
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
