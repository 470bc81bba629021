using System.Text.Json;

namespace Tenon.Server.Demo;

/// <summary>An event as one line, or a few indented ones, for a person.</summary>
internal static class EventLine
{
    /// <summary>Lines of a tool's output that are shown: the rest is in the session's history.</summary>
    private const int OutputLinesMax = 12;

    private const string Indent = "\n                                        ";

    public static (string Type, string Detail) Of(JsonElement @event)
    {
        var type = @event.GetProperty("type").GetString()!;
        return (type, type switch
        {
            "user.message" or "agent.message" => Lines(Text(@event), int.MaxValue),
            "agent.tool_use" => $"{@event.GetProperty("name").GetString()} {Input(@event.GetProperty("input"))}",
            "agent.tool_result" => Lines(Text(@event), OutputLinesMax),
            "session.status_idle" => @event.GetProperty("stop_reason").GetProperty("type").GetString()!,
            "session.error" => @event.GetProperty("error").GetProperty("message").GetString()!,
            "span.model_request_end" => Tokens(@event.GetProperty("model_usage")),
            _ => "",
        });
    }

    private static string Text(JsonElement @event) => string.Concat(@event.GetProperty("content").EnumerateArray()
        .Select(block => block.TryGetProperty("text", out var text) ? text.GetString() : "[not text]"));

    private static string Tokens(JsonElement usage) =>
        $"{usage.GetProperty("input_tokens")} tokens in, {usage.GetProperty("output_tokens")} out";

    private static string Input(JsonElement input) => Lines(
        string.Join(", ", input.EnumerateObject().Select(property => $"{property.Name}: {property.Value}")),
        OutputLinesMax);

    private static string Lines(string text, int max)
    {
        var lines = text.TrimEnd().Split('\n');
        var shown = string.Join(Indent, lines.Take(max));
        return lines.Length > max ? $"{shown}{Indent}… {lines.Length - max} more lines" : shown;
    }
}
