using System.Text.Json;

namespace Tenon.Server.Web;

/// <summary>Where in the conversation the URLs that <c>web_fetch</c> opens may come from (api B.1).</summary>
/// <param name="Rules">The rules of each source in their object form; null for those that count without any.</param>
public sealed record UrlSources(JsonElement? Rules)
{
    public const string UserInput = "user_input";
    private const string ClientTools = "client_tool_results:";
    private const string ServerTools = "server_tool_results:";

    /// <summary>What counts when nothing is said: all of them.</summary>
    public static UrlSources All { get; } = new((JsonElement?)null);

    /// <summary>The source of what a client's tool answered.</summary>
    public static string ClientTool(string name) => ClientTools + name;

    /// <summary>The source of what a web tool answered.</summary>
    public static string ServerTool(string name) => ServerTools + name;

    public bool Allows(string source)
    {
        var parts = source.Split(':', 2);
        if (Rules is not { } rules || !rules.TryGetProperty(parts[0], out var rule))
        {
            return true;
        }

        return rule.GetProperty("type").GetString() switch
        {
            "all" => true,
            "only" => Names(rule, parts[^1]),
            "except" => !Names(rule, parts[^1]),
            _ => false,
        };
    }

    private static bool Names(JsonElement rule, string tool) =>
        rule.GetProperty("tools").EnumerateArray().Any(entry => entry.GetProperty("name").GetString() == tool);
}
