using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>Writes a body in the frame that its message has.</summary>
internal sealed class BodyWriter(Stream to, BodyEnd end) : IDisposable
{
    /// <summary>Sixteen digits and a line's end before a chunk, and another line's end after it.</summary>
    private const int FrameBytesMax = 20;

    private byte[] _frame = [];

    // A chunk with its frame is one write, since each is a record where TLS is spoken.
    public async ValueTask Write(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        if (piece.IsEmpty)
        {
            // Nothing to say yet; a chunk of no bytes would be the end.
        }
        else if (end == BodyEnd.Chunked)
        {
            await to.WriteAsync(Framed(piece.Span), cancellationToken);
        }
        else
        {
            await to.WriteAsync(piece, cancellationToken);
        }
    }

    public async ValueTask Finish(CancellationToken cancellationToken)
    {
        if (end == BodyEnd.Chunked)
        {
            await to.WriteAsync("0\r\n\r\n"u8.ToArray(), cancellationToken);
        }
    }

    public void Dispose()
    {
        if (_frame.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_frame);
        }
    }

    private ReadOnlyMemory<byte> Framed(ReadOnlySpan<byte> piece)
    {
        if (_frame.Length < piece.Length + FrameBytesMax)
        {
            Dispose();
            _frame = ArrayPool<byte>.Shared.Rent(piece.Length + FrameBytesMax);
        }

        var head = Encoding.ASCII.GetBytes(piece.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n", _frame);
        piece.CopyTo(_frame.AsSpan(head));
        "\r\n"u8.CopyTo(_frame.AsSpan(head + piece.Length));
        return _frame.AsMemory(0, head + piece.Length + 2);
    }
}
