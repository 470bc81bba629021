using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>A connection to a hand. Many questions may be open at once; when it ends, each of them fails.</summary>
internal sealed class HandConnection : IAsyncDisposable
{
    private const int LengthBytes = 4;

    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    // Not disposed: a late question must find the connection closed and not its lock.
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly ConcurrentDictionary<long, TaskCompletionSource<HandReply>> _open = new();
    private readonly Task _reading;
    private long _lastId;
    private readonly Action<string> _tell;
    private volatile bool _closed;

    private HandConnection(Socket socket, Action<string> tell)
    {
        (_socket, _tell) = (socket, tell);
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reading = Read();
    }

    public bool IsOpen => !_closed;

    /// <param name="tell">Gets each of <see cref="HandEvents"/>; it must not wait.</param>
    public static async Task<HandConnection> Open(
        string socketPath, Action<string> tell, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
            return new HandConnection(socket, tell);
        }
        catch (SocketException exception)
        {
            // Nobody listens: the hand is gone.
            socket.Dispose();
            throw Lost(exception);
        }
    }

    /// <summary>Asks, and waits for the answer. Giving up waiting does not take the question back.</summary>
    /// <exception cref="SandboxException">The connection ended first.</exception>
    public async Task<HandReply> Ask(HandRequest request, CancellationToken cancellationToken)
    {
        var id = Interlocked.Increment(ref _lastId);
        var answer = new TaskCompletionSource<HandReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        _open[id] = answer;
        try
        {
            await Send(request with { Id = id });
            var reply = await answer.Task.WaitAsync(cancellationToken);
            return reply.Fault is { } fault ? throw new SandboxException($"The hand refused: {fault}.") : reply;
        }
        finally
        {
            _open.TryRemove(id, out _);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _closed = true;
        await _stream.DisposeAsync();
        await _reading;
    }

    private async Task Send(HandRequest request)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(request, HandJson.Default.HandRequest);
        if (body.Length > HandProtocol.FrameBytesMax)
        {
            throw new ArgumentException($"a request of {body.Length} bytes is larger than a frame", nameof(request));
        }

        var frame = new byte[LengthBytes + body.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)body.Length);
        body.CopyTo(frame, LengthBytes);
        await _sending.WaitAsync(CancellationToken.None);
        try
        {
            // NOTE: not cancellable, because half a frame would spoil every later one.
            await _stream.WriteAsync(frame, CancellationToken.None);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The reader sees the end as well and fails the others; whoever asks next must not wait for that.
            _closed = true;
            throw Lost(exception);
        }
        finally
        {
            _sending.Release();
        }

        if (_closed)
        {
            // The reader may have emptied the list before this question was on it.
            throw Lost(null);
        }
    }

    private async Task Read()
    {
        try
        {
            var header = new byte[LengthBytes];
            while (true)
            {
                await _stream.ReadExactlyAsync(header);
                var length = BinaryPrimitives.ReadUInt32LittleEndian(header);
                if (length > HandProtocol.FrameBytesMax)
                {
                    break;
                }

                var frame = new byte[length];
                await _stream.ReadExactlyAsync(frame);
                var reply = JsonSerializer.Deserialize(frame, HandJson.Default.HandReply);
                if (!await ReadParts(reply?.Parts ?? []))
                {
                    break;
                }

                Take(reply);
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or JsonException)
        {
            // The hand ended, this side closed, or what answers is no hand: in every case the connection is over.
        }

        _closed = true;
        _socket.Dispose();
        foreach (var answer in _open.Values)
        {
            answer.TrySetException(Lost(null));
        }
    }

    /// <summary>Reads what follows a frame. False when it is more than was agreed on: then this is no hand.</summary>
    private async Task<bool> ReadParts(IReadOnlyList<HandPart> parts)
    {
        if (parts.Count > HandMedia.PartsMax || parts.Any(part => part.Bytes < 0)
            || parts.Sum(part => (long)part.Bytes) > HandMedia.AnswerBytesMax)
        {
            return false;
        }

        foreach (var part in parts.Where(part => part.Bytes > 0))
        {
            part.Content = new byte[part.Bytes];
            await _stream.ReadExactlyAsync(part.Content);
        }

        return true;
    }

    private void Take(HandReply? reply)
    {
        if (reply?.Event is { } word)
        {
            _tell(word);
        }
        else if (reply is not null && _open.TryRemove(reply.Id, out var answer))
        {
            answer.TrySetResult(reply);
        }
    }

    private static SandboxException Lost(Exception? inner) => new(
        "The sandbox was lost while it worked. Whether the last action took effect is not known; look before "
        + "repeating it. Files are kept; running processes and the shell's state are gone.", inner);
}
