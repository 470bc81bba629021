using System.Text.Json;

namespace Tenon.Hand.Tools;

/// <summary>Reads a tool's input, and names the field that is wrong.</summary>
internal readonly struct ToolInput(string tool, JsonElement input)
{
    public string Tool => tool;

    public string Required(string field) => Text(field) is { Length: > 0 } text
        ? text
        : throw new ToolFault($"{tool}: {field} is required");

    public string? Text(string field) => Find(field) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw new ToolFault($"{tool}: {field} must be a string"),
    };

    public bool Flag(string field) => Find(field) switch
    {
        null or { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.True } => true,
        _ => throw new ToolFault($"{tool}: {field} must be true or false"),
    };

    public long Number(string field) => Find(field) switch
    {
        null => 0,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt64(out var number) => number,
        _ => throw new ToolFault($"{tool}: {field} must be a whole number"),
    };

    /// <summary>A pair of line numbers, or null when absent.</summary>
    public (long First, long Last)? Range(string field)
    {
        if (Find(field) is not { } value || (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0))
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 2
            && value[0].ValueKind == JsonValueKind.Number && value[0].TryGetInt64(out var first)
            && value[1].ValueKind == JsonValueKind.Number && value[1].TryGetInt64(out var last))
        {
            return (first, last);
        }

        throw new ToolFault($"{tool}: {field} must be two whole numbers, [first line, last line]");
    }

    private JsonElement? Find(string field) =>
        input.ValueKind == JsonValueKind.Object && input.TryGetProperty(field, out var value)
            && value.ValueKind != JsonValueKind.Null
            ? value
            : null;
}
