namespace Tenon.Hand.Tools;

/// <summary>A failure that the model reads as the tool's answer.</summary>
internal sealed class ToolFault(string message) : Exception(message);

/// <summary>What a tool answers.</summary>
internal sealed record ToolAnswer(string Text, bool IsError)
{
    private const string NoOutput = "(no output)";

    public static ToolAnswer Ok(string text) => new(text.Length == 0 ? NoOutput : text, false);

    public static ToolAnswer Error(string text) => new(text, true);
}
