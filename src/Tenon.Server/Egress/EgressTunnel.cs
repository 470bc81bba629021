using System.Buffers;
using System.Net.Sockets;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>
/// Passes bytes both ways until both sides have ended, nothing has passed for a while, or the rules forbid the host.
/// What the sandbox says first is looked at: a TLS client must want the very host that it asked the proxy for.
/// </summary>
internal sealed class EgressTunnel(EgressSession session, EgressRequest request, Socket upstream) : IDisposable
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>A server may think for long before it answers; a connection that is silent for so long is forgotten.
    /// </summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(10);

    private readonly EgressCount _count = new();
    private readonly CancellationTokenSource _end = new();
    private long _movedAt = session.Clock.GetTimestamp();
    private string? _reason;

    public string Host => request.Host;

    public int Port => request.Port;

    public async Task Run(Stream client, WireReader reader, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, cancellationToken);
        await using var idle = session.Clock.CreateTimer(_ => EndIdle(), null, IdleTime, IdleTime);
        await using var stream = new NetworkStream(upstream, ownsSocket: false);
        try
        {
            await client.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), ending.Token);
            await Task.WhenAll(
                EndBothOnFault(Send(reader, stream, ending.Token)),
                EndBothOnFault(Receive(stream, client, ending.Token)));
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException
            or ObjectDisposedException)
        {
            // One side broke off, which ends the other, or the tunnel was cut; the reason is in the audit.
            _reason ??= exception is OperationCanceledException ? "the server stopped" : "the connection broke off";
        }
        finally
        {
            await _end.CancelAsync();
            await session.End(
                request with { BytesSent = _count.Sent, BytesReceived = _count.Received, Reason = _reason }, null,
                CancellationToken.None);
        }
    }

    /// <summary>Ends it, from any thread.</summary>
    public void Cut(string reason)
    {
        _reason = reason;
        try
        {
            _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }

    public void Dispose()
    {
        upstream.Dispose();
        _end.Dispose();
    }

    private async Task EndBothOnFault(Task way)
    {
        try
        {
            await way;
        }
        catch
        {
            // Whatever it was: one way without the other would wait for nothing.
            await _end.CancelAsync();
            throw;
        }
    }

    private async Task Send(WireReader reader, Stream to, CancellationToken cancellationToken)
    {
        // The usual port of TLS carries nothing else; on others, who may reach the host may speak any protocol.
        if (await ClientHello.Refused(reader, Host, Port == EgressSession.TlsPort, cancellationToken) is { } reason)
        {
            Cut(reason);
            cancellationToken.ThrowIfCancellationRequested();
        }

        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            int count;
            while ((count = await reader.Read(piece, cancellationToken)) > 0)
            {
                await to.WriteAsync(piece.AsMemory(0, count), cancellationToken);
                _count.Sent += count;
                _movedAt = session.Clock.GetTimestamp();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }

        upstream.Shutdown(SocketShutdown.Send);
    }

    private async Task Receive(Stream from, Stream client, CancellationToken cancellationToken)
    {
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            int count;
            while ((count = await from.ReadAsync(piece, cancellationToken)) > 0)
            {
                await client.WriteAsync(piece.AsMemory(0, count), cancellationToken);
                _count.Received += count;
                _movedAt = session.Clock.GetTimestamp();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }

        // The sandbox may still send; it learns that nothing more comes.
        (client as NetworkStream)?.Socket.Shutdown(SocketShutdown.Send);
    }

    private void EndIdle()
    {
        if (session.Clock.GetElapsedTime(_movedAt) >= IdleTime)
        {
            Cut($"nothing passed for {IdleTime.TotalMinutes} minutes");
        }
    }
}
