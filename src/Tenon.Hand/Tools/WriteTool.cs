using System.Globalization;
using System.Text;

namespace Tenon.Hand.Tools;

/// <summary><c>write</c>: a whole file, and the directories above it.</summary>
internal static class WriteTool
{
    public static ToolAnswer Run(ToolInput input)
    {
        var shown = input.Required("file_path");
        var content = Encoding.UTF8.GetBytes(
            input.Text("content") ?? throw new ToolFault("write: content is required"));
        TextFile.Replace("write", Roots.Resolve("write", shown), shown, content);
        return ToolAnswer.Ok($"wrote {content.Length.ToString(CultureInfo.InvariantCulture)} bytes to {shown}");
    }
}
