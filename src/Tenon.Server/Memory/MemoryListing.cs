using System.Text;
using Tenon.Server.Storage;

namespace Tenon.Server.Memory;

/// <summary>A memory of a list; or, without one, what stands for those below a path that ends with a slash.</summary>
internal sealed record ListedMemory(string Path, MemoryRow? Memory);

/// <summary>What a list of a store's memories shows, as <c>find</c> or as <c>ls</c> would (api A.11).</summary>
internal static class MemoryListing
{
    /// <param name="rows">In the order of their paths' bytes.</param>
    /// <param name="prefix">Begins and ends with a slash.</param>
    /// <param name="depth">1 shows what lies right below the prefix, 0 all.</param>
    /// <param name="after">The last path of the page before; null for the first page.</param>
    public static IEnumerable<ListedMemory> Of(
        IReadOnlyList<MemoryRow> rows, string prefix, int depth, string? after)
    {
        var last = "";
        foreach (var row in rows.Where(row => row.Path.StartsWith(prefix, StringComparison.Ordinal)))
        {
            var slash = depth == 0 ? -1 : row.Path.IndexOf('/', prefix.Length);
            var path = slash < 0 ? row.Path : row.Path[..(slash + 1)];
            if (path != last && (after is null || Compare(path, after) > 0))
            {
                yield return new ListedMemory(path, slash < 0 ? row : null);
            }

            last = path;
        }
    }

    private static int Compare(string a, string b) =>
        Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b));
}

/// <summary>Where words were found in a memory.</summary>
/// <param name="Matches">How often they occur.</param>
internal sealed record MemoryHit(int Matches, string Excerpt)
{
    /// <summary>Enough around a word to tell what it is about.</summary>
    private const int ExcerptBefore = 60;
    private const int ExcerptChars = 240;

    /// <summary>Null when one of the words occurs in neither the path nor the text. Case does not count.</summary>
    public static MemoryHit? Find(IReadOnlyList<string> words, string path, string text)
    {
        var (matches, first) = (0, -1);
        foreach (var word in words)
        {
            var (count, at) = Count(text, word);
            var all = count + Count(path, word).Count;
            if (all == 0)
            {
                return null;
            }

            matches += all;
            first = first < 0 ? at : first;
        }

        var from = Math.Max(0, first - ExcerptBefore);
        return new MemoryHit(matches, Cut(text, from, Math.Min(text.Length, from + ExcerptChars)));
    }

    private static (int Count, int First) Count(string text, string word)
    {
        var (count, first) = (0, -1);
        for (var at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase); at >= 0;
            at = text.IndexOf(word, at + word.Length, StringComparison.OrdinalIgnoreCase))
        {
            count++;
            first = first < 0 ? at : first;
        }

        return (count, first);
    }

    // Not through the middle of a character that has two halves.
    private static string Cut(string text, int from, int to) => text[
        (from > 0 && char.IsLowSurrogate(text[from]) ? from + 1 : from)
        ..(to < text.Length && char.IsLowSurrogate(text[to]) ? to - 1 : to)];
}
