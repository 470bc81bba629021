namespace Tenon.Hand.Tools;

/// <summary>A failure that the model reads as the tool's answer.</summary>
internal sealed class ToolFault(string message) : Exception(message);

/// <summary>What a tool answers.</summary>
internal sealed record ToolAnswer(string Text, bool IsError)
{
    private const string NoOutput = "(no output)";

    /// <summary>The whole answer in order, when there is more to it than text.</summary>
    public IReadOnlyList<ToolPart> Parts { get; init; } = [];

    /// <summary>What it holds in memory, about.</summary>
    public long Size => Text.Length + Parts.Sum(part => (part.Text?.Length ?? 0L) + (part.Bytes?.Length ?? 0L));

    public static ToolAnswer Ok(string text) => new(text.Length == 0 ? NoOutput : text, false);

    public static ToolAnswer Error(string text) => new(text, true);
}

/// <summary>A piece of an answer: a text, or a picture or a PDF with the name of its file.</summary>
internal sealed record ToolPart(string? Text, string? MediaType, string? Name, byte[]? Bytes)
{
    public static ToolPart Of(string text) => new(text, null, null, null);
}
