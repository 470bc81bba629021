using System.Text.Json;

namespace Tenon.Server.Web;

/// <summary>Text in JSON that models and services wrote.</summary>
internal static class JsonText
{
    /// <summary>The text of a member; null where there is none, or it is empty.</summary>
    public static string? Member(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) ? Of(value) : null;

    /// <summary>The value as text; null when it is none, or empty.</summary>
    public static string? Of(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;
        }
        catch (InvalidOperationException)
        {
            // It holds half of a character, as JSON can and text cannot.
            return null;
        }
    }
}
