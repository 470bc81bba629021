using System.Net;
using System.Net.Sockets;

namespace Tenon.Server.Egress;

/// <summary>
/// Connects requests that the server makes itself to hosts that somebody else has named. A name is looked up once, its
/// addresses are judged as those that sandboxes reach are, and one that was judged is the one that is dialled.
/// </summary>
/// <param name="guard">The judgement.</param>
/// <param name="connectTimeMax">For one address to take a connection, so that a name with several has time for the
/// next.</param>
public sealed class GuardedDial(AddressGuard guard, TimeSpan connectTimeMax)
{
    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <exception cref="AddressRefusedException">No address of the host may be dialled.</exception>
    public async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = await guard.Find(host, cancellationToken);
        if (addresses.Count == 0)
        {
            throw new AddressRefusedException(host);
        }

        for (var i = 0; ; i++)
        {
            try
            {
                return await Dial(new IPEndPoint(addresses[i], port), cancellationToken);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException
                && i + 1 < addresses.Count && !cancellationToken.IsCancellationRequested)
            {
                // The name's next address may answer.
            }
        }
    }

    private async Task<Stream> Dial(IPEndPoint address, CancellationToken cancellationToken)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            time.CancelAfter(connectTimeMax);
            await socket.ConnectAsync(address, time.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            // Whatever went wrong, nobody has the socket.
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>All addresses of a host are refused.</summary>
public sealed class AddressRefusedException(string host)
    : Exception($"{host} leads to an address that is not public.");
