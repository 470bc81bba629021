using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Tenon.Server.Mcp;

/// <summary>
/// A tool's schema as model services take it. One that they refuse would fail every request of the session, whatever
/// it is about, so what a server lists is not passed on as it comes.
/// </summary>
internal static partial class McpSchema
{
    /// <summary>What services do not take at the top of a schema. The server checks its input itself.</summary>
    private static readonly string[] NotAtTop = ["oneOf", "anyOf", "allOf", "not", "enum"];

    /// <summary>The schema; null when no service would take it.</summary>
    public static JsonElement? Adapt(JsonElement schema, int depthMax)
    {
        try
        {
            if (schema.ValueKind != JsonValueKind.Object || JsonObject.Create(schema) is not { } adapted)
            {
                return null;
            }

            NotAtTop.Where(adapted.ContainsKey).ToList().ForEach(keyword => adapted.Remove(keyword));
            adapted["type"] = "object";
            if (!AreNamed(adapted["properties"]))
            {
                return null;
            }

            // Read as strictly as the log is read: what cannot be would stop the session for good.
            return JsonElement.Parse(adapted.ToJsonString(), new JsonDocumentOptions { MaxDepth = depthMax });
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or ArgumentException)
        {
            // Too deep, a name twice, or half a surrogate pair: no text that can be kept.
            return null;
        }
    }

    private static bool AreNamed(JsonNode? properties) =>
        properties is null || (properties is JsonObject named && named.All(property => Name().IsMatch(property.Key)));

    [GeneratedRegex("^[A-Za-z0-9_.-]{1,64}$")]
    private static partial Regex Name();
}
