namespace Tenon.Server.Sandboxes;

/// <summary>Words for a shell.</summary>
internal static class ShellText
{
    /// <summary>One word that means exactly this.</summary>
    public static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
