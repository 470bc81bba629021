using System.Text.Json;
using Tenon.Server.Web.Search;
using Tenon.Wire.Agents;

namespace Tenon.Server.Web;

/// <summary>What an agent says of one of its web tools (api B.1). It was checked when the agent was saved.</summary>
public sealed record WebToolSettings
{
    public DomainList Domains { get; init; } = DomainList.All;

    /// <summary>About how many tokens of a page's text a fetch gives; null for all of it.</summary>
    public int? ContentTokensMax { get; init; }

    public UrlSources Sources { get; init; } = UrlSources.All;

    public SearchLocation? Location { get; init; }

    public static WebToolSettings Of(IReadOnlyList<AgentTool> tools, string name)
    {
        var fields = tools.OfType<AgentToolset>().SelectMany(toolset => toolset.Configs ?? [])
            .FirstOrDefault(config => config.Name == name)?.Extra;
        return fields is null ? new WebToolSettings() : new WebToolSettings
        {
            Domains = new DomainList(Strings("allowed_domains"), Strings("blocked_domains")),
            ContentTokensMax = Field("max_content_tokens") is { } tokens && tokens.TryGetInt32(out var count)
                ? count : null,
            Sources = Field("url_sources") is { } sources ? new UrlSources(sources) : UrlSources.All,
            Location = Field("user_location") is { } location ? SearchLocation.Of(location) : null,
        };

        JsonElement? Field(string field) =>
            fields.TryGetValue(field, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

        List<string>? Strings(string field) =>
            Field(field) is { } list ? [.. list.EnumerateArray().Select(entry => entry.GetString()!)] : null;
    }
}
