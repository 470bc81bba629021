using Tenon.Server.Environments;

namespace Tenon.Server.Web;

/// <summary>Finds the URLs in a text that people or programs wrote.</summary>
public static class UrlScan
{
    /// <summary>Longer ones are not opened.</summary>
    private const int CharsMax = 2_048;

    private const string Ends = "<>\"`|^{}";

    /// <summary>What may follow a URL in a sentence, and may also be its end: both are taken.</summary>
    private const string Closing = ".,;:!?)]*_'";

    private const int ClosingMax = 16;

    /// <summary>The key of every URL, and of what it may be without the punctuation that follows it.</summary>
    /// <param name="bareHosts">Whether <c>example.com/page</c> counts: people write so.</param>
    public static IEnumerable<string> Keys(string text, bool bareHosts)
    {
        if (!bareHosts && Next(text, 0) < 0)
        {
            yield break; // most texts have none, and are not looked at word by word
        }

        for (var at = 0; at < text.Length;)
        {
            var end = at;
            while (end < text.Length && !IsEnd(text[end]))
            {
                end++;
            }

            foreach (var key in WordKeys(text[at..Math.Min(end, at + CharsMax)], bareHosts))
            {
                yield return key;
            }

            at = end + 1;
        }
    }

    private static bool IsEnd(char c) => char.IsWhiteSpace(c) || char.IsControl(c) || Ends.Contains(c);

    private static List<string> WordKeys(string word, bool bareHosts)
    {
        var start = Next(word, 0);
        if (start < 0)
        {
            return bareHosts && word.Contains('.', StringComparison.Ordinal) ? BareKeys(word) : [];
        }

        var keys = new List<string>();
        while (start >= 0)
        {
            var next = Next(word, start + 1);
            Add(keys, next < 0 ? word[start..] : word[start..next]);
            start = next;
        }

        return keys;
    }

    private static int Next(string word, int from)
    {
        var plain = word.IndexOf("http://", from, StringComparison.OrdinalIgnoreCase);
        var secure = word.IndexOf("https://", from, StringComparison.OrdinalIgnoreCase);
        return plain < 0 ? secure : secure < 0 ? plain : Math.Min(plain, secure);
    }

    private static List<string> BareKeys(string word)
    {
        var keys = new List<string>();
        var trimmed = word.TrimStart('(', '[', '*', '_', '\'');
        var host = HostName.TryParse(trimmed.Split('/', '?', '#', ':')[0].TrimEnd([.. Closing]));
        if (host is not null && host.Contains('.', StringComparison.Ordinal))
        {
            Add(keys, "https://" + trimmed);
        }

        return keys;
    }

    private static void Add(List<string> keys, string url)
    {
        var text = url[..Unbalanced(url)];
        AddTrimmed(keys, text);
        if (text.AsSpan().IndexOfAnyExceptInRange('\0', '\x7f') is > 0 and var foreign)
        {
            AddTrimmed(keys, text[..foreign]); // a script that sets no spaces goes on right behind it
        }

        if (text.Contains("&amp;", StringComparison.Ordinal))
        {
            AddTrimmed(keys, text.Replace("&amp;", "&", StringComparison.Ordinal)); // as it stands in HTML
        }
    }

    private static void AddTrimmed(List<string> keys, string url)
    {
        for (var cut = 0; cut <= ClosingMax && cut < url.Length; cut++)
        {
            var text = url[..^cut];
            if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Host.Length > 0)
            {
                keys.Add(WebAddress.Key(uri));
            }

            if (!Closing.Contains(text[^1], StringComparison.Ordinal))
            {
                return;
            }
        }
    }

    /// <summary>Where a bracket closes that the URL did not open: it belongs to what stands around it.</summary>
    private static int Unbalanced(string url)
    {
        var open = 0;
        for (var i = 0; i < url.Length; i++)
        {
            open += url[i] is '(' or '[' ? 1 : url[i] is ')' or ']' ? -1 : 0;
            if (open < 0)
            {
                return i;
            }
        }

        return url.Length;
    }
}
