namespace Tenon.Server.Web;

/// <summary>The beginning of a text, without half of a character at its end.</summary>
public static class TextCut
{
    public static string At(string text, int charsMax) =>
        text.Length <= charsMax ? text
        : text[..(char.IsHighSurrogate(text[charsMax - 1]) ? charsMax - 1 : charsMax)];
}
