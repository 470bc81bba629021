using System.Text.Json;
using System.Text.Json.Nodes;
using Tenon.Server.Http;
using Tenon.Wire.Agents;

namespace Tenon.Server.Agents;

/// <summary>Where the addresses that <c>web_fetch</c> opens may come from (api B.1).</summary>
public static class UrlSourceRules
{
    private const int ToolsMax = 128;
    private const string UserInput = "user_input";
    private static readonly string[] Names = ["client_tool_results", "server_tool_results", UserInput];
    private static readonly JsonElement Null = JsonElement.Parse("null");

    /// <summary>
    /// Each source in its object form, <c>all</c> where it was left out; null where there are no rules.
    /// </summary>
    /// <exception cref="ApiException">400.</exception>
    public static JsonElement Check(string path, JsonElement? sources, IReadOnlyList<AgentTool> tools)
    {
        if (sources is not { } given)
        {
            return Null;
        }

        if (given.ValueKind != JsonValueKind.Object)
        {
            throw ApiException.Invalid(path, "must be an object.");
        }

        var resolved = new JsonObject();
        foreach (var name in Names)
        {
            resolved[name] = given.TryGetProperty(name, out var source) && source.ValueKind != JsonValueKind.Null
                ? Check($"{path}.{name}", name, source, tools)
                : new JsonObject { ["type"] = "all" };
        }

        return Names.All(name => (string?)resolved[name]!["type"] == "none")
            ? throw ApiException.Invalid(path, "must leave at least one source.")
            : JsonElement.Parse(resolved.ToJsonString());
    }

    private static JsonObject Check(string path, string name, JsonElement source, IReadOnlyList<AgentTool> tools)
    {
        var type = source.ValueKind == JsonValueKind.String ? source.GetString() : WebToolRules.Text(source, "type");
        switch (type)
        {
            case "all" or "none":
                return new JsonObject { ["type"] = type };
            case "only" or "except" when name != UserInput && source.ValueKind == JsonValueKind.Object:
                CheckTools($"{path}.tools", name, source, tools);
                return JsonObject.Create(source)!;
            default:
                throw ApiException.Invalid(path,
                    name == UserInput ? "must be all or none." : "must be all, none, only or except.");
        }
    }

    private static void CheckTools(string path, string source, JsonElement rule, IReadOnlyList<AgentTool> tools)
    {
        if (!rule.TryGetProperty("tools", out var list) || list.ValueKind != JsonValueKind.Array
            || list.GetArrayLength() is 0 or > ToolsMax)
        {
            throw ApiException.Invalid(path, $"must be a list of 1 to {ToolsMax} tools.");
        }

        var seen = new HashSet<string>();
        for (var i = 0; i < list.GetArrayLength(); i++)
        {
            if (WebToolRules.Text(list[i], "type") != "tool_reference"
                || WebToolRules.Text(list[i], "name") is not { } name)
            {
                throw ApiException.Invalid($"{path}.{i}", "must be a tool_reference with a name.");
            }

            var known = source == "server_tool_results"
                ? name is "web_search" or "web_fetch"
                : tools.OfType<CustomTool>().Any(tool => tool.Name == name);
            if (!known || !seen.Add(name))
            {
                throw ApiException.Invalid($"{path}.{i}.name", known
                    ? $"'{name}' is in the list twice."
                    : $"'{name}' is not a tool that gives {source}.");
            }
        }
    }
}
