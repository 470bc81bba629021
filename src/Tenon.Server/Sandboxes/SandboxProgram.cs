using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// A program in a sandbox, with its input and output here. It has a connection to the hand of its own, whose end, by
/// whatever cause, ends the program: a server that dies leaves none behind.
/// </summary>
public sealed class SandboxProgram : IAsyncDisposable
{
    private const int LengthBytes = 4;

    /// <summary>Of the one request of this connection; 0 would be left out of its JSON.</summary>
    private const long OnlyId = 1;

    /// <summary>A program's last words, with what JSON adds.</summary>
    private const int EndBytesMax = 64 * 1024;

    /// <summary>A hand answers in milliseconds; on a host that is so busy, a start has failed.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(15);

    private readonly NetworkStream _hand;
    private readonly SandboxUse _use;

    private SandboxProgram(NetworkStream hand, SandboxUse use)
    {
        (_hand, _use) = (hand, use);
        (Input, Output) = (new InputStream(hand), new OutputStream(this));
    }

    /// <summary>What the program reads. A write that was cut short ends it: half a line would spoil the next.</summary>
    public Stream Input { get; }

    /// <summary>What it writes; ends with it.</summary>
    public Stream Output { get; }

    /// <summary>How it ended; null while it runs, and when nobody can say.</summary>
    public ProgramEnd? End { get; private set; }

    /// <summary>
    /// Begins something that it is to answer: the sandbox is thawed and stays so, and its files are not held still.
    /// </summary>
    public ValueTask BeginUse() => _use.Begin();

    /// <summary>Ends what <see cref="BeginUse"/> began.</summary>
    public void EndUse() => _use.End();

    public ValueTask DisposeAsync() => _hand.DisposeAsync();

    /// <exception cref="SandboxException">The hand is gone, or refuses.</exception>
    internal static async Task<SandboxProgram> Start(
        string socketPath, HandProgram program, SandboxUse use, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(StartTime);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), time.Token);
            var hand = new NetworkStream(socket, ownsSocket: true);
            await hand.WriteAsync(Frame(program), time.Token);
            return (await ReadReply(hand, time.Token)).Fault is { } fault
                ? throw new SandboxException($"The hand refused: {fault}.")
                : new SandboxProgram(hand, use);
        }
        catch (Exception exception)
        {
            // The connection is this method's until it is handed on.
            socket.Dispose();
            throw exception is SandboxException || cancellationToken.IsCancellationRequested ? exception
                : new SandboxException("The sandbox could not be reached.", exception);
        }
    }

    private static byte[] Frame(HandProgram program)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(
            new HandRequest { Id = OnlyId, Verb = HandVerbs.Start, Program = program }, HandJson.Default.HandRequest);
        var frame = new byte[LengthBytes + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, body.Length);
        body.CopyTo(frame, LengthBytes);
        return frame;
    }

    private static async Task<HandReply> ReadReply(Stream hand, CancellationToken cancellationToken)
    {
        while (true)
        {
            var frame = new byte[await ReadLength(hand, EndBytesMax, cancellationToken)];
            await hand.ReadExactlyAsync(frame, cancellationToken);
            var reply = JsonSerializer.Deserialize(frame, HandJson.Default.HandReply)
                ?? throw new IOException("a reply that is null");

            // What changed in a folder is told on every connection, until this one is the program's.
            if (reply.Event is null)
            {
                return reply;
            }
        }
    }

    private static async Task<int> ReadLength(Stream hand, int most, CancellationToken cancellationToken)
    {
        var header = new byte[LengthBytes];
        await hand.ReadExactlyAsync(header, cancellationToken);
        var length = BinaryPrimitives.ReadInt32LittleEndian(header);
        return length >= 0 && length <= most ? length : throw new IOException("what answers is no hand");
    }

    private sealed class InputStream(NetworkStream hand) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
            // Nothing is kept back.
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                await hand.WriteAsync(buffer, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                await hand.DisposeAsync();
                throw;
            }
            catch (IOException)
            {
                // The program is over, and its output says how: who is told of the pipe first would never learn that.
            }
        }
    }

    private sealed class OutputStream(SandboxProgram program) : ForwardStream
    {
        private int _left;
        private bool _isOver;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override Task<int> ReadAsync(
            byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask<int> ReadAsync(
            Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                if (_left == 0 && !_isOver
                    && (_left = await ReadLength(program._hand, HandProtocol.PieceBytesMax, cancellationToken)) == 0)
                {
                    _isOver = true;
                    var end = await ReadReply(program._hand, cancellationToken);
                    program.End = new ProgramEnd(end.Status ?? -1, end.Text ?? "");
                }

                var count = _isOver ? 0
                    : await program._hand.ReadAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken);
                _left -= count;
                _isOver |= count == 0 && buffer.Length > 0;
                return count;
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException or JsonException)
            {
                // The hand is gone, or this side closed: the program is over, and nobody says how.
                _isOver = true;
                return 0;
            }
        }
    }
}

/// <summary>How a program ended.</summary>
/// <param name="Status">As a shell counts: 128 + n for a death by signal n.</param>
/// <param name="LastWords">The end of its error output; not to be trusted.</param>
public sealed record ProgramEnd(int Status, string LastWords);
