using System.Text;
using System.Text.RegularExpressions;
using System.Text.Unicode;

namespace Tenon.Server.Web;

/// <summary>Finds out in which characters a page is written, as browsers do.</summary>
internal static partial class Charset
{
    /// <summary>Where a page must say it (HTML Standard, "prescan").</summary>
    private const int HeadBytes = 1_024;

    private const int CharBytesMax = 4;
    private const string Western = "windows-1252";

    /// <param name="declared">What the server said; null when it said nothing.</param>
    /// <param name="isCut">The last character may not be whole.</param>
    public static string Decode(ReadOnlySpan<byte> bytes, string? declared, bool isHtml, bool isCut)
    {
        if (Marked(bytes) is var (marked, length))
        {
            return marked.GetString(bytes[length..]);
        }

        var encoding = Find(declared) ?? Find(InHead(bytes, isHtml)) ?? Guess(bytes, isCut);
        return encoding.GetString(bytes);
    }

    private static (Encoding Encoding, int Length)? Marked(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0xEF, 0xBB, 0xBF, ..] => (Encoding.UTF8, 3),
        [0xFE, 0xFF, ..] => (Encoding.BigEndianUnicode, 2),
        [0xFF, 0xFE, ..] => (Encoding.Unicode, 2),
        _ => null,
    };

    private static string? InHead(ReadOnlySpan<byte> bytes, bool isHtml)
    {
        var head = Encoding.Latin1.GetString(bytes[..Math.Min(bytes.Length, HeadBytes)]);
        var match = isHtml ? InMeta().Match(head) : InXml().Match(head);
        var name = match.Success ? match.Groups[1].Value : null;

        // Who could read this is not written in pairs of bytes.
        return name?.StartsWith("utf-16", StringComparison.OrdinalIgnoreCase) == true ? "utf-8" : name;
    }

    private static Encoding? Find(string? name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return null;
        }

        // What calls itself Latin 1 is read as the set of Windows that contains it (Encoding Standard).
        var known = name.Trim().ToLowerInvariant() is "iso-8859-1" or "latin1" or "us-ascii" ? Western : name.Trim();
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(known) ?? Encoding.GetEncoding(known);
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            // A name that nobody knows says nothing.
            return null;
        }
    }

    private static Encoding Guess(ReadOnlySpan<byte> bytes, bool isCut)
    {
        for (var missing = 0; missing < (isCut ? CharBytesMax : 1) && missing <= bytes.Length; missing++)
        {
            if (Utf8.IsValid(bytes[..^missing]))
            {
                return Encoding.UTF8;
            }
        }

        return Find(Western)!;
    }

    [GeneratedRegex("""<meta[^>]+?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex InMeta();

    [GeneratedRegex("""^\s*<\?xml[^>]+?encoding\s*=\s*["']([A-Za-z0-9_:.-]+)["']""")]
    private static partial Regex InXml();
}
