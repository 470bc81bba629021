using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>
/// Writes a message: its head, and its body in the frame that the head says. What is there at the same time goes out as
/// one write, since each is a record of TLS, and wakes who carries it on.
/// </summary>
/// <param name="head">Goes out with the first piece, or by <see cref="Begin"/>.</param>
internal sealed class BodyWriter(Stream to, BodyEnd end, ReadOnlyMemory<byte> head) : IDisposable
{
    /// <summary>A chunk's sixteen digits and line ends, and the last chunk.</summary>
    private const int FrameBytesMax = 32;

    private ReadOnlyMemory<byte> _head = head;
    private byte[] _buffer = [];
    private bool _isFinished;

    /// <summary>Writes the head, when nothing of the body is there yet.</summary>
    public ValueTask Begin(CancellationToken cancellationToken)
    {
        var waiting = _head;
        _head = default;
        return waiting.IsEmpty ? ValueTask.CompletedTask : to.WriteAsync(waiting, cancellationToken);
    }

    /// <param name="piece">May be empty.</param>
    /// <param name="isLast">Nothing follows.</param>
    public ValueTask Write(ReadOnlyMemory<byte> piece, bool isLast, CancellationToken cancellationToken)
    {
        _isFinished = isLast;
        var hasFrame = end == BodyEnd.Chunked && (!piece.IsEmpty || isLast);
        return hasFrame || (!_head.IsEmpty && !piece.IsEmpty)
            ? to.WriteAsync(Framed(piece.Span, isLast), cancellationToken)
            : piece.IsEmpty ? Begin(cancellationToken)
            : to.WriteAsync(piece, cancellationToken);
    }

    public ValueTask Finish(CancellationToken cancellationToken) =>
        _isFinished ? ValueTask.CompletedTask : Write(default, isLast: true, cancellationToken);

    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }
    }

    private ReadOnlyMemory<byte> Framed(ReadOnlySpan<byte> piece, bool isLast)
    {
        var bytes = _head.Length + piece.Length + FrameBytesMax;
        if (_buffer.Length < bytes)
        {
            Dispose();
            _buffer = ArrayPool<byte>.Shared.Rent(bytes);
        }

        var length = 0;
        Add(_head.Span, ref length);
        _head = default;
        if (end != BodyEnd.Chunked)
        {
            Add(piece, ref length);
            return _buffer.AsMemory(0, length);
        }

        // A chunk of no bytes would be the end.
        if (!piece.IsEmpty)
        {
            Add(Encoding.ASCII.GetBytes(piece.Length.ToString("x", CultureInfo.InvariantCulture)), ref length);
            Add("\r\n"u8, ref length);
            Add(piece, ref length);
            Add("\r\n"u8, ref length);
        }

        Add(isLast ? "0\r\n\r\n"u8 : [], ref length);
        return _buffer.AsMemory(0, length);
    }

    private void Add(ReadOnlySpan<byte> bytes, ref int length)
    {
        bytes.CopyTo(_buffer.AsSpan(length));
        length += bytes.Length;
    }
}
