using System.Text;

namespace Tenon.Hand.Tools;

/// <summary><c>edit</c>: replaces a text that stands in the file exactly once, or, when asked, everywhere.</summary>
internal static class EditTool
{
    /// <summary>Edits happen in memory; a larger file is generated, and is changed with a program.</summary>
    private const int FileBytesMax = 4 * 1024 * 1024;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    // Two edits of one file at once would lose the first; edits are short, so one lock for all will do.
    private static readonly Lock Gate = new();

    public static ToolAnswer Run(ToolInput input)
    {
        var shown = input.Required("file_path");
        var old = input.Required("old_string");
        var replacement = input.Text("new_string") ?? throw new ToolFault("edit: new_string is required");
        var everywhere = input.Flag("replace_all");
        var path = Roots.Resolve("edit", shown);
        lock (Gate)
        {
            var text = Load(path, shown);
            var count = Count(text, old);
            if (count == 0)
            {
                throw new ToolFault($"edit: old_string was found 0 times in {shown}; it must match exactly");
            }

            if (count > 1 && !everywhere)
            {
                throw new ToolFault(
                    $"edit: old_string was found {count} times in {shown}; it must be unique, or replace_all be true");
            }

            var edited = text.Replace(old, replacement, StringComparison.Ordinal);
            TextFile.Replace("edit", path, shown, Encoding.UTF8.GetBytes(edited));
            return ToolAnswer.Ok($"edited {shown} ({count} replacement(s))");
        }
    }

    private static string Load(string path, string shown)
    {
        using var file = TextFile.Open("edit", path, shown);
        if (file.Length > FileBytesMax)
        {
            throw new ToolFault(
                $"edit: {shown} has {file.Length} bytes, more than the {FileBytesMax} that can be edited; use bash");
        }

        var bytes = TextFile.ReadAll(file);
        try
        {
            return TextFile.IsBinary(bytes)
                ? throw new ToolFault($"edit: {shown} is a binary file")
                : Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            // Decoding with replacements would spoil bytes that the edit does not touch.
            throw new ToolFault($"edit: {shown} is not UTF-8 text; use bash");
        }
    }

    private static int Count(string text, string part)
    {
        var count = 0;
        for (var at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
        {
            count++;
        }

        return count;
    }
}
