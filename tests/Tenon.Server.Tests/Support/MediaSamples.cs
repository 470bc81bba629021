using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Tenon.Server.Tests.Support;

/// <summary>The smallest files of each kind that a model can be shown.</summary>
public static class MediaSamples
{
    public static byte[] Png { get; } = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==");

    public static byte[] Gif { get; } =
        Convert.FromBase64String("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");

    public static byte[] Webp { get; } =
        Convert.FromBase64String("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA");

    public static byte[] WebpLossless { get; } =
        Convert.FromBase64String("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==");

    public static byte[] WebpExtended { get; } =
        [.. "RIFF"u8, 18, 0, 0, 0, .. "WEBPVP8X"u8, 10, 0, 0, 0, 0, 0, 0, 0, 0x2B, 1, 0, 0xC7, 0, 0];

    /// <summary>What a JPEG says of itself, with a thumbnail's end before its size; 3 wide and 2 high.</summary>
    public static byte[] Jpeg { get; } =
    [
        0xFF, 0xD8, 0xFF, 0xE1, 0, 4, 0xFF, 0xD9, 0xFF, 0xC2, 0, 11, 8, 0, 2, 0, 3, 1, 0x11, 0,
        0xFF, 0xDA, 0, 2, 1, 2, 3, 0xFF, 0xD9,
    ];

    /// <summary>A PNG that says that it is so large.</summary>
    public static byte[] PngOf(int width, int height)
    {
        var png = Png.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), width);
        BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), height);
        return png;
    }

    /// <summary>A PNG of so many bytes.</summary>
    public static byte[] PngWith(int bytes) => [.. Png[..33], .. new byte[bytes - Png.Length], .. Png[33..]];

    /// <summary>A PDF as old programs write it: the page tree stands in plain words, twice after a change.</summary>
    public static byte[] Pdf(int pages) => Encoding.ASCII.GetBytes(
        $"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        + $"2 0 obj\n<< /Count 1 /Kids [3 0 R] /Type\n/Pages /Resources << /Font << >> >> >>\nendobj\n"
        + "3 0 obj\n<< /Type /Page /Parent 2 0 R >>\nendobj\n"
        + $"2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count {pages}>>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n");

    /// <summary>A PDF as new programs write it: the page tree is in a compressed stream of objects.</summary>
    public static byte[] PackedPdf(int pages)
    {
        using var packed = new MemoryStream();
        using (var zip = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zip.Write(Encoding.ASCII.GetBytes(
                $"1 0 2 50 <</Type/Catalog/Pages 2 0 R>> <</Kids[3 0 R]/Type/Pages/Count {pages}>>"));
        }

        return
        [
            .. Encoding.ASCII.GetBytes(
                $"%PDF-1.7\n9 0 obj\n<</Type/ObjStm/N 2/First 8/Filter/FlateDecode/Length {packed.Length}>>stream\r\n"),
            .. packed.ToArray(), .. "\r\nendstream\nendobj\n%%EOF\n"u8,
        ];
    }

    public static string Notebook(params object[] cells) =>
        JsonSerializer.Serialize(new { cells, metadata = new { }, nbformat = 4, nbformat_minor = 5 });

    /// <summary>A notebook with words, a result, a picture and a failure.</summary>
    public static string Notebook() => Notebook(
        new { cell_type = "markdown", source = new[] { "# Title\n", "words" } },
        new
        {
            cell_type = "code", execution_count = 3, source = "print('hi')\nplot()",
            outputs = new object[]
            {
                new { output_type = "stream", name = "stdout", text = new[] { "hi\n" } },
                new
                {
                    output_type = "display_data",
                    data = new Dictionary<string, object>
                    {
                        ["text/plain"] = "<Figure>", ["image/png"] = Convert.ToBase64String(Png) + "\n",
                    },
                },
                new
                {
                    output_type = "execute_result",
                    data = new Dictionary<string, object>
                    {
                        ["text/html"] = "<b>4</b>", ["text/plain"] = new[] { "4" },
                    },
                },
                new
                {
                    output_type = "error", ename = "E", evalue = "v",
                    traceback = new[] { "\u001b[31mE\u001b[0m: v" },
                },
            },
        });
}
