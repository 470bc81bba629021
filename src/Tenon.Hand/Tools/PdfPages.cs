using System.IO.Compression;
using System.Text;

namespace Tenon.Hand.Tools;

/// <summary>
/// Counts the pages of a PDF, without a library that reads one: every file says it at the root of its page tree, in
/// plain words or in a compressed stream of objects.
/// </summary>
internal static class PdfPages
{
    /// <summary>How far an object's ends are looked for: a node of the tree may list thousands of others.</summary>
    private const int ObjectBytesMax = 1024 * 1024;

    /// <summary>What one stream of objects may become. Compressed zeroes must not cost the hand its life.</summary>
    private const int StreamBytesMax = 8 * 1024 * 1024;

    /// <summary>Streams that are looked into; a file of a few hundred pages has fewer.</summary>
    private const int StreamsMax = 2_000;

    private static readonly string[] Spaces = [" ", "\r\n", "\n", "\r", "\t"];

    /// <summary>Null when it cannot be told: the file is encrypted, damaged, or none.</summary>
    public static int? Count(byte[] pdf)
    {
        if (pdf.AsSpan().IndexOf("/Encrypt"u8) >= 0)
        {
            return null;
        }

        var most = MostIn(pdf);
        var (streams, unpacked) = (0, new byte[StreamBytesMax]);
        for (var at = Next(pdf, 0); at >= 0 && streams < StreamsMax; at = Next(pdf, at + 1), streams++)
        {
            most = Math.Max(most, MostIn(Unpack(pdf, at, unpacked)));
        }

        return most > 0 ? most : null;
    }

    /// <summary>The largest count of any node: the root's, whatever older versions of it the file still has.</summary>
    private static int MostIn(ReadOnlySpan<byte> text)
    {
        var most = 0;
        for (var at = 0; at < text.Length;)
        {
            var found = text[at..].IndexOf("/Pages"u8);
            if (found < 0)
            {
                break;
            }

            at += found + "/Pages".Length;
            if (text[..(at - "/Pages".Length)].TrimEnd(" \r\n\t"u8).EndsWith("/Type"u8)
                && (at == text.Length || !char.IsAsciiLetterOrDigit((char)text[at])))
            {
                most = Math.Max(most, CountOf(Around(text, at)));
            }
        }

        return most;
    }

    /// <summary>The dictionary that a place is in.</summary>
    private static ReadOnlySpan<byte> Around(ReadOnlySpan<byte> text, int at)
    {
        var (from, depth) = (at, 1);
        while (depth > 0 && from >= 2 && at - from < ObjectBytesMax)
        {
            var step = Step(text, from - 2);
            (from, depth) = (from - (step == 0 ? 1 : 2), depth - step);
        }

        (var to, depth) = (at, 1);
        while (depth > 0 && to + 2 <= text.Length && to - at < ObjectBytesMax)
        {
            var step = Step(text, to);
            (to, depth) = (to + (step == 0 ? 1 : 2), depth + step);
        }

        return text[from..to];
    }

    /// <summary>1 where a dictionary begins, -1 where one ends.</summary>
    private static int Step(ReadOnlySpan<byte> text, int at) =>
        text.Slice(at, 2).SequenceEqual("<<"u8) ? 1 : text.Slice(at, 2).SequenceEqual(">>"u8) ? -1 : 0;

    private static int CountOf(ReadOnlySpan<byte> dictionary)
    {
        var at = dictionary.IndexOf("/Count"u8);
        if (at < 0)
        {
            return 0;
        }

        var rest = dictionary[(at + "/Count".Length)..].TrimStart(" \r\n\t"u8);
        var digits = 0;
        while (digits < rest.Length && char.IsAsciiDigit((char)rest[digits]))
        {
            digits++;
        }

        return int.TryParse(Encoding.ASCII.GetString(rest[..digits]), out var count) ? count : 0;
    }

    private static int Next(ReadOnlySpan<byte> pdf, int from)
    {
        var found = pdf[from..].IndexOf("/ObjStm"u8);
        return found < 0 ? -1 : from + found;
    }

    /// <summary>What a stream of objects says; nothing when it is packed in a way that is not known.</summary>
    private static ReadOnlySpan<byte> Unpack(byte[] pdf, int at, byte[] into)
    {
        var found = pdf.AsSpan(at).IndexOf("stream"u8);
        if (found < 0)
        {
            return [];
        }

        at += found + "stream".Length;
        var end = Spaces.FirstOrDefault(space => pdf.AsSpan(at).StartsWith(Encoding.ASCII.GetBytes(space))) ?? "";
        at += end.Length;
        try
        {
            using var packed = new MemoryStream(pdf, at, pdf.Length - at);
            using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
            return into.AsSpan(0, unpacked.ReadAtLeast(into, into.Length, throwOnEndOfStream: false));
        }
        catch (InvalidDataException)
        {
            // Another filter, or damage: then the count may stay unknown, which is said.
            return [];
        }
    }
}
