using System.Text.Json;
using System.Text.RegularExpressions;
using Tenon.Server.Http;

namespace Tenon.Server.Agents;

/// <summary>
/// What the input schema of a custom tool may be (api B.1): an object that says all of itself in one place, because
/// that is what models are given.
/// </summary>
public static partial class SchemaRules
{
    private static readonly string[] References = ["$ref", "$dynamicRef", "$recursiveRef"];
    private static readonly string[] Choices = ["oneOf", "anyOf", "allOf"];

    // Below these stand values and not schemas.
    private static readonly string[] Values = ["enum", "const", "default", "examples"];

    /// <exception cref="ApiException">400.</exception>
    public static void Check(string path, JsonElement schema)
    {
        var isObject = schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out var type)
            && type.ValueKind == JsonValueKind.String && type.ValueEquals("object");
        if (!isObject)
        {
            throw ApiException.Invalid(path, "must be a JSON Schema with \"type\": \"object\".");
        }

        if (Array.Find(Choices, choice => schema.TryGetProperty(choice, out _)) is { } found)
        {
            throw ApiException.Invalid($"{path}.{found}", "is not allowed at the top of the schema.");
        }

        if (schema.TryGetProperty("properties", out var properties))
        {
            CheckNames($"{path}.properties", properties);
        }

        RefuseReferences(path, schema);
    }

    private static void CheckNames(string path, JsonElement properties)
    {
        if (properties.ValueKind != JsonValueKind.Object)
        {
            throw ApiException.Invalid(path, "must be an object.");
        }

        foreach (var property in properties.EnumerateObject())
        {
            if (!PropertyName().IsMatch(property.Name))
            {
                throw ApiException.Invalid(path,
                    $"the name '{property.Name}' must be 1 to 64 letters, digits, underscores, dots and hyphens.");
            }
        }
    }

    private static void RefuseReferences(string path, JsonElement schema)
    {
        if (schema.ValueKind == JsonValueKind.Array)
        {
            var i = 0;
            foreach (var item in schema.EnumerateArray())
            {
                RefuseReferences($"{path}.{i++}", item);
            }
        }

        if (schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var member in schema.EnumerateObject().Where(member => !Values.Contains(member.Name)))
        {
            if (References.Contains(member.Name))
            {
                throw ApiException.Invalid($"{path}.{member.Name}", "references are not allowed in an input schema.");
            }

            RefuseReferences($"{path}.{member.Name}", member.Value);
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9_.-]{1,64}\z")]
    private static partial Regex PropertyName();
}
