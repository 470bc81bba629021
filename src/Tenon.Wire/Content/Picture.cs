using System.Buffers.Binary;

namespace Tenon.Wire.Content;

/// <summary>A picture as far as its own bytes tell: what kind it is, and how large.</summary>
/// <param name="MediaType"><c>image/png</c>, <c>image/jpeg</c>, <c>image/gif</c> or <c>image/webp</c>.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
/// <param name="IsWhole">It ends as its kind ends. A provider refuses a conversation with half of one in it.</param>
public sealed record Picture(string MediaType, int Width, int Height, bool IsWhole)
{
    /// <summary>Bytes of one picture: providers take 5 MiB of it as base64.</summary>
    public const int BytesMax = 5 * 1024 * 1024 / 4 * 3;

    /// <summary>Pixels of its longer side that providers take.</summary>
    public const int SideMax = 8_000;

    /// <summary>Bytes that are enough to tell which kind of picture something is.</summary>
    public const int HeadBytes = 12;

    private const int PngSizeAt = 16;
    private const int GifSizeAt = 6;
    private const int WebpSizeAt = 4;
    private const int WebpChunkAt = 12;

    /// <summary>The kind that the first <see cref="HeadBytes"/> tell of; null when it is no picture.</summary>
    public static string? TypeOf(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0x89, .. "PNG\r\n"u8, 0x1A, 0x0A]) ? "image/png"
        : head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? "image/jpeg"
        : head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8) ? "image/gif"
        : head.Length >= HeadBytes && head.StartsWith("RIFF"u8) && head[8..12].SequenceEqual("WEBP"u8) ? "image/webp"
        : null;

    /// <summary>What the bytes are; null when they are no picture, or break off before they say how large it is.
    /// </summary>
    public static Picture? Of(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return TypeOf(bytes) switch
            {
                "image/png" => Png(bytes),
                "image/jpeg" => Jpeg(bytes),
                "image/gif" => Gif(bytes),
                "image/webp" => Webp(bytes),
                _ => null,
            };
        }
        catch (ArgumentOutOfRangeException)
        {
            // It breaks off where its size should be.
            return null;
        }
    }

    private static Picture Png(ReadOnlySpan<byte> bytes) => new(
        "image/png", BinaryPrimitives.ReadInt32BigEndian(bytes[PngSizeAt..]),
        BinaryPrimitives.ReadInt32BigEndian(bytes[(PngSizeAt + 4)..]),
        // The last piece has no content, and ends with its checksum.
        bytes.LastIndexOf("IEND"u8) is > PngSizeAt and var end && end + 8 <= bytes.Length);

    private static Picture Gif(ReadOnlySpan<byte> bytes) => new(
        "image/gif", BinaryPrimitives.ReadUInt16LittleEndian(bytes[GifSizeAt..]),
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[(GifSizeAt + 2)..]), bytes.TrimEnd((byte)0)[^1] == ';');

    private static Picture? Webp(ReadOnlySpan<byte> bytes)
    {
        var isWhole = BinaryPrimitives.ReadUInt32LittleEndian(bytes[WebpSizeAt..]) + 8L <= bytes.Length;
        var chunk = bytes[(WebpChunkAt + 8)..];
        var kind = bytes.Slice(WebpChunkAt, 4);
        if (kind.SequenceEqual("VP8X"u8))
        {
            return new Picture("image/webp", Three(chunk.Slice(4, 3)) + 1, Three(chunk.Slice(7, 3)) + 1, isWhole);
        }

        if (kind.SequenceEqual("VP8L"u8))
        {
            var bits = BinaryPrimitives.ReadUInt32LittleEndian(chunk[1..]);
            return new Picture("image/webp", (int)(bits & 0x3FFF) + 1, (int)(bits >> 14 & 0x3FFF) + 1, isWhole);
        }

        return kind.SequenceEqual("VP8 "u8)
            ? new Picture("image/webp", BinaryPrimitives.ReadUInt16LittleEndian(chunk[6..]) & 0x3FFF,
                BinaryPrimitives.ReadUInt16LittleEndian(chunk[8..]) & 0x3FFF, isWhole)
            : null;
    }

    private static int Three(ReadOnlySpan<byte> bytes) => bytes[0] | bytes[1] << 8 | bytes[2] << 16;

    // Segments of a marker and a length, until the one that tells the size.
    private static Picture? Jpeg(ReadOnlySpan<byte> bytes)
    {
        for (var at = 2; at + 9 < bytes.Length;)
        {
            if (bytes[at] != 0xFF)
            {
                return null;
            }

            var marker = bytes[at + 1];
            if (marker is 0xFF or 0x01 or >= 0xD0 and <= 0xD8)
            {
                at += marker == 0xFF ? 1 : 2;
                continue;
            }

            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
            {
                return new Picture("image/jpeg", BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 7)..]),
                    BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 5)..]),
                    bytes[at..].LastIndexOf((ReadOnlySpan<byte>)[0xFF, 0xD9]) > 0);
            }

            at += 2 + BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 2)..]);
        }

        return null;
    }
}
