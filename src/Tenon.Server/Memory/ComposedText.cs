using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Tenon.Server.Memory;

/// <summary>
/// Whether a text is in Unicode's Normalization Form C. The platform answers this by a library of the host's, which
/// the server does without (it then takes any text for normalized), so the tables are its own.
/// </summary>
/// <remarks>
/// By the definition: the text is taken apart, put in order and put together again, and must be what it was. A
/// character that composed text never has ends it at once, so that only what composes need be known.
/// </remarks>
internal static class ComposedText
{
    private const string ResourceName = "Tenon.Server.Memory.composition.txt";

    // Hangul syllables are made by rule (Unicode, section 3.12).
    private const int Syllables = 0xAC00;
    private const int SyllableCount = 11_172;
    private const int Leading = 0x1100;
    private const int LeadingCount = 19;
    private const int Vowel = 0x1161;
    private const int VowelCount = 21;
    private const int Trailing = 0x11A7;
    private const int TrailingCount = 28;

    private static readonly Lazy<Tables> Loaded = new(Load);

    public static bool IsComposed(string text)
    {
        if (Ascii.IsValid(text))
        {
            return true;
        }

        var tables = Loaded.Value;
        var given = text.EnumerateRunes().Select(rune => rune.Value).ToList();
        return !given.Exists(tables.Never.Contains) && Compose(Order(given, tables), tables).SequenceEqual(given);
    }

    /// <summary>The characters apart, and marks in the order of their classes.</summary>
    private static List<int> Order(List<int> given, Tables tables)
    {
        var apart = new List<int>();
        given.ForEach(character => TakeApart(character, tables, apart));
        for (var i = 1; i < apart.Count; i++)
        {
            for (var at = i; at > 0 && tables.ClassOf(apart[at]) is > 0 and var own
                && tables.ClassOf(apart[at - 1]) > own; at--)
            {
                (apart[at], apart[at - 1]) = (apart[at - 1], apart[at]);
            }
        }

        return apart;
    }

    private static void TakeApart(int character, Tables tables, List<int> apart)
    {
        if (character is >= Syllables and < Syllables + SyllableCount)
        {
            var index = character - Syllables;
            apart.Add(Leading + (index / (VowelCount * TrailingCount)));
            apart.Add(Vowel + (index % (VowelCount * TrailingCount) / TrailingCount));
            if (index % TrailingCount is > 0 and var trailing)
            {
                apart.Add(Trailing + trailing);
            }
        }
        else if (tables.Parts.TryGetValue(character, out var parts))
        {
            TakeApart(parts.First, tables, apart);
            apart.Add(parts.Second);
        }
        else
        {
            apart.Add(character);
        }
    }

    private static List<int> Compose(List<int> apart, Tables tables)
    {
        var composed = new List<int>();
        var (starter, lastClass) = (-1, 0);
        foreach (var character in apart)
        {
            var own = tables.ClassOf(character);
            var isBlocked = starter < 0 || (starter < composed.Count - 1 && lastClass >= own);
            if (!isBlocked && Pair(composed[starter], character, tables) is { } whole)
            {
                composed[starter] = whole;
                continue;
            }

            composed.Add(character);
            if (own == 0)
            {
                starter = composed.Count - 1;
            }

            lastClass = own;
        }

        return composed;
    }

    private static int? Pair(int first, int second, Tables tables)
    {
        if (first is >= Leading and < Leading + LeadingCount && second is >= Vowel and < Vowel + VowelCount)
        {
            return Syllables + ((((first - Leading) * VowelCount) + second - Vowel) * TrailingCount);
        }

        if (first is >= Syllables and < Syllables + SyllableCount && (first - Syllables) % TrailingCount == 0
            && second is > Trailing and < Trailing + TrailingCount)
        {
            return first + second - Trailing;
        }

        return tables.Wholes.TryGetValue((first, second), out var whole) ? whole : null;
    }

    private static Tables Load()
    {
        using var stream = typeof(ComposedText).Assembly.GetManifestResourceStream(ResourceName)!;
        using var reader = new StreamReader(stream);
        var (never, classes, parts) =
            (new HashSet<int>(), new Dictionary<int, int>(), new Dictionary<int, (int First, int Second)>());
        while (reader.ReadLine() is { } line)
        {
            var fields = line.Split(' ');
            switch (fields[0])
            {
                case "N":
                    never.UnionWith(Enumerable.Range(Hex(fields[1]), Hex(fields[2]) - Hex(fields[1]) + 1));
                    break;
                case "C":
                    for (var at = Hex(fields[1]); at <= Hex(fields[2]); at++)
                    {
                        classes[at] = int.Parse(fields[3], CultureInfo.InvariantCulture);
                    }

                    break;
                case "P":
                    parts[Hex(fields[1])] = (Hex(fields[2]), Hex(fields[3]));
                    break;
            }
        }

        return new Tables(never.ToFrozenSet(), classes.ToFrozenDictionary(), parts.ToFrozenDictionary(),
            parts.ToFrozenDictionary(part => part.Value, part => part.Key));
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private sealed record Tables(
        FrozenSet<int> Never, FrozenDictionary<int, int> Classes, FrozenDictionary<int, (int First, int Second)> Parts,
        FrozenDictionary<(int First, int Second), int> Wholes)
    {
        public int ClassOf(int character) => Classes.GetValueOrDefault(character);
    }
}
