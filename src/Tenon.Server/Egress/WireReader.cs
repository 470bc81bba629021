using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>Reads HTTP/1.1 messages from a stream, and never beyond the one that is asked for.</summary>
internal sealed class WireReader(Stream stream) : IDisposable
{
    /// <summary>Bytes of a head: browsers and services allow between 8 and 64 KiB.</summary>
    public const int HeadBytesMax = 64 * 1024;

    private const int LineBytesMax = 4 * 1024;
    private const int ChunkDigitsMax = 15;
    private const int TrailersMax = 64;

    private static readonly byte[] HeadEnd = "\r\n\r\n"u8.ToArray();
    private static readonly byte[] LineEnd = "\r\n"u8.ToArray();

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(HeadBytesMax);
    private int _start;
    private int _end;

    /// <summary>What was read and not yet taken.</summary>
    public ReadOnlyMemory<byte> Buffered => _buffer.AsMemory(_start, _end - _start);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    /// <summary>The next head; null when the other side ended before its first byte.</summary>
    /// <exception cref="BadHeadException">It is not sound, too large, or cut off.</exception>
    public async ValueTask<HttpHead?> ReadHead(bool isAnswer, CancellationToken cancellationToken)
    {
        var bytes = await ReadTo(HeadEnd, HeadBytesMax, cancellationToken);
        return bytes.IsEmpty ? null : HttpHead.Parse(bytes.Span, isAnswer);
    }

    /// <summary>More bytes than now are buffered; false when the other side ended or the buffer is full.</summary>
    public async ValueTask<bool> Fill(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            Buffered.CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == HeadBytesMax)
        {
            return false;
        }

        var count = await stream.ReadAsync(_buffer.AsMemory(_end, HeadBytesMax - _end), cancellationToken);
        _end += count;
        return count > 0;
    }

    /// <summary>Takes up to so many bytes into <paramref name="into"/>; 0 when the other side ended.</summary>
    public async ValueTask<int> Read(Memory<byte> into, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            return await stream.ReadAsync(into, cancellationToken);
        }

        var count = Math.Min(into.Length, _end - _start);
        _buffer.AsMemory(_start, count).CopyTo(into);
        _start += count;
        return count;
    }

    /// <summary>Hands a body on, piece by piece, without its chunks' frames.</summary>
    /// <param name="take">Gets each piece; it is only good until it returns.</param>
    /// <exception cref="BadHeadException">It is cut off, or its chunks are not sound.</exception>
    public async Task ReadBody(
        BodyLength length, Func<ReadOnlyMemory<byte>, ValueTask> take, CancellationToken cancellationToken)
    {
        var piece = ArrayPool<byte>.Shared.Rent(HeadBytesMax);
        try
        {
            if (length.End == BodyEnd.Chunked)
            {
                for (long size; (size = await ChunkSize(cancellationToken)) > 0;)
                {
                    await Take(size, piece, take, cancellationToken);
                    await Line("", cancellationToken);
                }

                await SkipTrailers(cancellationToken);
            }
            else
            {
                await Take(
                    length.End == BodyEnd.Length ? length.Bytes : long.MaxValue, piece, take, cancellationToken,
                    mayEnd: length.End == BodyEnd.Connection);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private async Task Take(
        long bytes, byte[] piece, Func<ReadOnlyMemory<byte>, ValueTask> take, CancellationToken cancellationToken,
        bool mayEnd = false)
    {
        while (bytes > 0)
        {
            var count = await Read(piece.AsMemory(0, (int)Math.Min(piece.Length, bytes)), cancellationToken);
            if (count == 0)
            {
                if (mayEnd)
                {
                    return;
                }

                throw new BadHeadException("its body was cut off");
            }

            await take(piece.AsMemory(0, count));
            bytes -= count;
        }
    }

    private async ValueTask<long> ChunkSize(CancellationToken cancellationToken)
    {
        var line = await Line(null, cancellationToken);
        var digits = line.Split(';')[0].TrimEnd(' ', '\t');
        return digits.Length is > 0 and <= ChunkDigitsMax && digits.All(char.IsAsciiHexDigit)
            ? long.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : throw new BadHeadException("a chunk has no sound size");
    }

    private async ValueTask SkipTrailers(CancellationToken cancellationToken)
    {
        for (var i = 0; i < TrailersMax; i++)
        {
            if ((await Line(null, cancellationToken)).Length == 0)
            {
                return;
            }
        }

        throw new BadHeadException($"it has more than {TrailersMax} trailers");
    }

    /// <param name="wanted">What the line must be; null takes any.</param>
    private async ValueTask<string> Line(string? wanted, CancellationToken cancellationToken)
    {
        var bytes = await ReadTo(LineEnd, LineBytesMax, cancellationToken);
        var line = bytes.IsEmpty ? null : Encoding.Latin1.GetString(bytes.Span[..^2]);
        return line is not null && !line.AsSpan().ContainsAny('\r', '\n') && (wanted is null || line == wanted)
            ? line
            : throw new BadHeadException("its chunks are not sound");
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadTo(
        byte[] end, int bytesMax, CancellationToken cancellationToken)
    {
        for (var searched = 0; ;)
        {
            var place = Buffered.Span[searched..].IndexOf(end);
            if (place >= 0)
            {
                var taken = Buffered[..(searched + place + end.Length)];
                _start += taken.Length;
                return taken;
            }

            searched = Math.Max(0, Buffered.Length - end.Length + 1);
            if (Buffered.Length >= bytesMax)
            {
                throw new BadHeadException($"it is larger than {bytesMax} bytes");
            }

            if (!await Fill(cancellationToken))
            {
                return Buffered.IsEmpty ? default : throw new BadHeadException("it was cut off");
            }
        }
    }
}
