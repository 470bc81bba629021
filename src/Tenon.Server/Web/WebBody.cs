using System.Net.Http.Headers;

namespace Tenon.Server.Web;

/// <summary>What a body is read as.</summary>
internal enum WebBodyKind
{
    Html,
    Pdf,
    Text,
}

/// <summary>The body of an answer, as far as it is read.</summary>
/// <param name="IsCut">There was more.</param>
internal sealed record WebBody(WebBodyKind Kind, ReadOnlyMemory<byte> Bytes, bool IsCut, string? Charset)
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Bytes at the beginning that tell a type when the server does not.</summary>
    private const int SniffBytes = 1_024;

    private static readonly string[] TextTypes =
    [
        "application/json", "application/ld+json", "application/x-ndjson", "application/xml", "application/rss+xml",
        "application/atom+xml", "application/javascript", "application/ecmascript", "application/yaml",
        "application/x-yaml", "application/toml", "application/graphql", "application/sql", "application/x-sh",
        "application/x-tex", "application/rtf",
    ];

    /// <summary>The text of a page or of anything else that is written in characters.</summary>
    public string Text() => Web.Charset.Decode(Bytes.Span, Charset, Kind == WebBodyKind.Html, IsCut);

    /// <exception cref="WebToolException">It is of a kind that is not read, too large, or cut off.</exception>
    public static async Task<WebBody> Read(
        HttpResponseMessage response, WebLimits limits, CancellationToken cancellationToken)
    {
        var headers = response.Content.Headers;
        if (headers.ContentEncoding.Count > 0)
        {
            throw new WebToolException(WebToolException.UnsupportedType,
                $"it is encoded as {string.Join(", ", headers.ContentEncoding)}, which is not read.");
        }

        var declared = Declared(headers.ContentType);
        if (declared == WebBodyKind.Pdf && headers.ContentLength > limits.PdfBytesMax)
        {
            throw TooLarge(limits);
        }

        var (bytes, isCut) = await ReadBytes(response.Content, limits, declared, cancellationToken);
        var kind = declared ?? Sniff(bytes.Span);
        return kind == WebBodyKind.Pdf && isCut
            ? throw TooLarge(limits)
            : new WebBody(kind, bytes, isCut, headers.ContentType?.CharSet?.Trim('"'));
    }

    private static WebBodyKind? Declared(MediaTypeHeaderValue? type)
    {
        var name = type?.MediaType?.ToLowerInvariant();
        return name switch
        {
            null or "application/octet-stream" or "binary/octet-stream" => null,
            "text/html" or "application/xhtml+xml" => WebBodyKind.Html,
            "application/pdf" or "application/x-pdf" => WebBodyKind.Pdf,
            _ when name.StartsWith("text/", StringComparison.Ordinal) || TextTypes.Contains(name)
                || name.EndsWith("+json", StringComparison.Ordinal) || name.EndsWith("+xml", StringComparison.Ordinal)
                => WebBodyKind.Text,
            _ => throw new WebToolException(
                WebToolException.UnsupportedType, $"it is {name}; only text, HTML and PDF are read."),
        };
    }

    private static WebBodyKind Sniff(ReadOnlySpan<byte> bytes)
    {
        var head = bytes[..Math.Min(bytes.Length, SniffBytes)];
        return head.StartsWith("%PDF-"u8) ? WebBodyKind.Pdf
            : head.Contains((byte)0)
                ? throw new WebToolException(
                    WebToolException.UnsupportedType, "it does not say what it is; only text, HTML and PDF are read.")
                : head.TrimStart(" \t\r\n"u8).StartsWith((byte)'<') ? WebBodyKind.Html : WebBodyKind.Text;
    }

    private static async Task<(ReadOnlyMemory<byte> Bytes, bool IsCut)> ReadBytes(
        HttpContent content, WebLimits limits, WebBodyKind? declared, CancellationToken cancellationToken)
    {
        var kept = new MemoryStream();
        var chunk = new byte[ChunkBytes];
        try
        {
            await using var body = await content.ReadAsStreamAsync(cancellationToken);
            while (await body.ReadAsync(chunk, cancellationToken) is > 0 and var count)
            {
                var max = Max(declared, kept.Length > 0 ? kept.GetBuffer() : chunk, limits);
                var room = (int)Math.Min(count, max - kept.Length);
                kept.Write(chunk, 0, room);
                if (room < count)
                {
                    return (Kept(kept), true);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or InvalidDataException)
        {
            throw new WebToolException(WebToolException.NotAccessible, "the connection ended in the middle of it.");
        }

        return (Kept(kept), false);
    }

    // Not a copy: it may be as large as a PDF.
    private static ReadOnlyMemory<byte> Kept(MemoryStream kept) => kept.GetBuffer().AsMemory(0, (int)kept.Length);

    // A file without a type may be larger when it begins as a PDF does.
    private static int Max(WebBodyKind? declared, byte[] head, WebLimits limits) =>
        declared == WebBodyKind.Pdf || (declared is null && head.AsSpan().StartsWith("%PDF-"u8))
            ? limits.PdfBytesMax : limits.PageBytesMax;

    private static WebToolException TooLarge(WebLimits limits) => new(
        WebToolException.UnsupportedType, $"it is a PDF of more than {limits.PdfBytesMax} bytes.");
}
