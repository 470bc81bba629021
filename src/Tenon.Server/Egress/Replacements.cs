using System.Buffers;
using System.Text;

namespace Tenon.Server.Egress;

/// <summary>Words, and what stands in the place of each. All text here is bytes, each of them a Latin-1 letter.
/// </summary>
internal sealed class Replacements
{
    private readonly (string Word, string Place, int Id)[] _pairs;
    private readonly SearchValues<string> _words;
    private readonly SearchValues<char> _firsts;

    /// <param name="pairs">Each with an id by which its uses are told.</param>
    public Replacements(IEnumerable<(string Word, string Place, int Id)> pairs)
    {
        // The longest first, since it is what a text means that has a shorter one at the same place.
        _pairs = [.. pairs.DistinctBy(pair => pair.Word).OrderByDescending(pair => pair.Word.Length)];
        _words = SearchValues.Create(_pairs.Select(pair => pair.Word).ToArray(), StringComparison.Ordinal);
        _firsts = SearchValues.Create(_pairs.Select(pair => pair.Word[0]).Distinct().ToArray());
    }

    public bool IsEmpty => _pairs.Length == 0;

    public int LongestWord => IsEmpty ? 0 : _pairs[0].Word.Length;

    /// <param name="used">Gets the ids of what was replaced.</param>
    public string In(string text, HashSet<int> used)
    {
        if (IsEmpty || !text.AsSpan().ContainsAny(_words))
        {
            return text;
        }

        var into = new ArrayBufferWriter<byte>(text.Length);
        Write(text, isLast: true, into, used);
        return Encoding.Latin1.GetString(into.WrittenSpan);
    }

    /// <summary>Where the first word begins, or, at the end, what may be the start of one; else the length.</summary>
    public int FirstOpen(ReadOnlySpan<char> text, bool isLast)
    {
        var at = text.IndexOfAny(_words);
        return at >= 0 ? at : isLast ? text.Length : StartOfTail(text, 0);
    }

    /// <summary>Writes what is decided.</summary>
    /// <returns>How much of the text that was: the rest may be the start of a word.</returns>
    public int Write(ReadOnlySpan<char> text, bool isLast, IBufferWriter<byte> into, HashSet<int> used)
    {
        var done = 0;
        var tail = isLast ? text.Length : StartOfTail(text, 0);
        while (true)
        {
            var found = text[done..].IndexOfAny(_words);
            var at = found < 0 ? text.Length : done + found;
            if (at >= tail)
            {
                Encoding.Latin1.GetBytes(text[done..tail], into);
                return tail;
            }

            var pair = WordAt(text[at..]);
            Encoding.Latin1.GetBytes(text[done..at], into);
            Encoding.Latin1.GetBytes(pair.Place, into);
            used.Add(pair.Id);
            done = at + pair.Word.Length;
            if (done > tail)
            {
                tail = StartOfTail(text, done);
            }
        }
    }

    private (string Word, string Place, int Id) WordAt(ReadOnlySpan<char> text)
    {
        foreach (var pair in _pairs)
        {
            if (text.StartsWith(pair.Word))
            {
                return pair;
            }
        }

        throw new InvalidOperationException("a word was found that is none");
    }

    private int StartOfTail(ReadOnlySpan<char> text, int from)
    {
        var at = Math.Max(from, text.Length - LongestWord + 1);
        while (at < text.Length)
        {
            var next = text[at..].IndexOfAny(_firsts);
            if (next < 0)
            {
                return text.Length;
            }

            at += next;
            if (IsStart(text[at..]))
            {
                return at;
            }

            at++;
        }

        return text.Length;
    }

    private bool IsStart(ReadOnlySpan<char> text)
    {
        foreach (var (word, _, _) in _pairs)
        {
            if (word.Length <= text.Length)
            {
                return false;
            }

            if (word.AsSpan().StartsWith(text))
            {
                return true;
            }
        }

        return false;
    }
}
