using System.Net;
using System.Net.Sockets;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>
/// The sandbox's end of the way out: what programs know as their proxy on loopback is carried, byte by byte, to the
/// socket of the server's proxy. It decides nothing, so nothing is gained by going around it.
/// </summary>
internal static class EgressRelay
{
    /// <summary>As many as the proxy takes of one session; others wait in the listening socket.</summary>
    private const int ConnectionsMax = 256;

    private const int PieceBytes = 64 * 1024;
    private const int StackBytes = 128 * 1024;
    private const int RefusalReadMs = 2_000;
    private const int RefusalPiecesMax = 16;

    private static readonly byte[] Nobody = [.. """
        HTTP/1.1 503 Service Unavailable
        content-type: text/plain
        connection: close
        retry-after: 1

        Tenon: the egress proxy is not there at the moment; try again.

        """u8.ToArray().SelectMany(part => part == '\n' ? "\r\n"u8.ToArray() : [part])];

    private static readonly SemaphoreSlim Slots = new(ConnectionsMax);

    public static void Start()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, HandProtocol.EgressPort));
        listener.Listen();
        Begin(() => Accept(listener));
    }

    private static void Accept(Socket listener)
    {
        while (true)
        {
            Slots.Wait();
            var client = listener.Accept();

            // A head and its body are two pieces: the second must not wait until the first is acknowledged.
            client.NoDelay = true;
            Begin(() =>
            {
                Carry(client);
                Slots.Release();
            });
        }
    }

    private static void Carry(Socket client)
    {
        using var proxy = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using (client)
        {
            try
            {
                proxy.Connect(new UnixDomainSocketEndPoint(HandProtocol.EgressSocket));
            }
            catch (SocketException)
            {
                // No server at the moment: a program is told so, in the words of a proxy.
                Refuse(client);
                return;
            }

            using var back = new ManualResetEventSlim();
            Begin(() =>
            {
                Pump(proxy, client);
                back.Set();
            });
            Pump(client, proxy);
            back.Wait();
        }
    }

    // A socket that is closed on words that nobody read takes its own words back.
    private static void Refuse(Socket client)
    {
        try
        {
            Move(Nobody, client);
            client.Shutdown(SocketShutdown.Send);
            client.ReceiveTimeout = RefusalReadMs;
            var piece = new byte[PieceBytes];
            for (var pieces = 0; pieces < RefusalPiecesMax && client.Receive(piece) > 0; pieces++)
            {
            }
        }
        catch (SocketException)
        {
            // It went away, or keeps talking: it has been told.
        }
    }

    private static void Pump(Socket from, Socket to)
    {
        var piece = new byte[PieceBytes];
        try
        {
            int count;
            while ((count = from.Receive(piece)) > 0)
            {
                Move(piece.AsSpan(0, count), to);
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // One side broke off: the other way ends as well.
            from.Dispose();
            to.Dispose();
        }
    }

    private static void Move(ReadOnlySpan<byte> bytes, Socket to)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[to.Send(bytes)..];
        }
    }

    private static void Begin(Action work) =>
        new Thread(() => work(), StackBytes) { IsBackground = true }.Start();
}
