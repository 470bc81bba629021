using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>What the proxy itself answers. The connection ends with it.</summary>
internal static class EgressAnswer
{
    /// <summary>What a refused sandbox may still send: a socket that is closed on words that nobody read takes the
    /// answer back.</summary>
    private const int UnreadBytesMax = 1024 * 1024;

    private static readonly TimeSpan UnreadTime = TimeSpan.FromSeconds(2);

    public static async Task Write(
        Stream client, int status, string reason, CancellationToken cancellationToken)
    {
        var word = status switch
        {
            400 => "Bad Request", 403 => "Forbidden", 502 => "Bad Gateway", 503 => "Service Unavailable",
            _ => "Gateway Timeout",
        };
        var body = Encoding.UTF8.GetBytes($"Tenon: {reason}.\n");
        var head = Encoding.ASCII.GetBytes(
            $"HTTP/1.1 {status} {word}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            + $"content-length: {body.Length}\r\nconnection: close\r\n\r\n");
        await client.WriteAsync((byte[])[.. head, .. body], cancellationToken);
        await End(client);
        await Drain(client, cancellationToken);
    }

    private static async Task End(Stream client)
    {
        if (client is SslStream secure)
        {
            await secure.ShutdownAsync();
        }
        else if (client is NetworkStream plain)
        {
            plain.Socket.Shutdown(SocketShutdown.Send);
        }
    }

    private static async Task Drain(Stream client, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(UnreadTime);
        var piece = new byte[16 * 1024];
        try
        {
            for (int unread = 0, count = 1; count > 0 && unread < UnreadBytesMax; unread += count)
            {
                count = await client.ReadAsync(piece, time.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It keeps the connection open: it has been told.
        }
    }
}
