using System.Globalization;

namespace Tenon.Server.Environments;

/// <summary>What counts as the name of a host: a name for the DNS, in lower case, and never an address.</summary>
public static class HostName
{
    private const int CharsMax = 253;
    private const int LabelCharsMax = 63;

    /// <summary>
    /// The name in lower case and in ASCII; null when it is none. Everything that a resolver may read as an address,
    /// such as <c>127.1</c>, <c>0x7f000001</c> or <c>2130706433</c>, is none.
    /// </summary>
    public static string? TryParse(string text)
    {
        var name = ToAscii(text);
        return name is { Length: > 0 and <= CharsMax } && name.Split('.') is var labels && labels.All(IsLabel)
            && !IsNumber(labels[^1])
                ? name
                : null;
    }

    private static string? ToAscii(string text)
    {
        try
        {
            return (text.All(char.IsAscii) ? text : new IdnMapping { UseStd3AsciiRules = true }.GetAscii(text))
                .ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            // Letters that no name of a host can have.
            return null;
        }
    }

    private static bool IsLabel(string label) => label.Length is > 0 and <= LabelCharsMax
        && label[0] != '-' && label[^1] != '-'
        && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    // A name whose last part is a number is an address to a resolver (URL Standard, "ends in a number").
    private static bool IsNumber(string label) => label.All(char.IsAsciiDigit)
        || (label.StartsWith("0x", StringComparison.Ordinal) && label[2..].All(char.IsAsciiHexDigit));
}
