using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Agents;

namespace Tenon.Server.Web;

/// <summary>
/// The tools that look at the web, <c>web_fetch</c> and <c>web_search</c> (api E). They run in the server, whatever
/// environment the session has, and change nothing, so they run beside others and again after a crash.
/// </summary>
public sealed class WebTools(WebFetch fetch, WebSearch search)
{
    public const string Fetch = "web_fetch";
    public const string Search = "web_search";

    private static readonly ModelTool FetchTool = new(
        Fetch,
        "Gets the text of a web page or a PDF. Only URLs can be fetched that stand in this conversation: in what the "
            + "user wrote, in results of the user's tools, of web_search or of web_fetch. Pages that need JavaScript "
            + "give what they have without it.",
        JsonElement.Parse(
            """
            {"type":"object","required":["url"],"properties":{
              "url":{"type":"string","description":"The whole URL, with http or https."}}}
            """));

    private static readonly ModelTool SearchTool = new(
        Search,
        "Searches the web. Returns titles, URLs and passages of the pages that were found.",
        JsonElement.Parse(
            """
            {"type":"object","required":["query"],"properties":{
              "query":{"type":"string","description":"What to look for; at most 400 characters."}}}
            """));

    /// <summary>
    /// What a model is offered, in a fixed order. A search that nothing can answer is not: a model would plan with it.
    /// </summary>
    public IReadOnlyList<ModelTool> Offered { get; } = search.IsConfigured ? [FetchTool, SearchTool] : [FetchTool];

    public static bool Has(string name) => name is Fetch or Search;

    /// <returns>What the model reads; it throws for the caller's own cancellation only.</returns>
    public Task<ToolOutput> Run(WebCall call, CancellationToken cancellationToken)
    {
        var settings = WebToolSettings.Of(call.Tools, call.Name);
        if (call.CallerTools is { } callers)
        {
            settings = settings with
            {
                Domains = settings.Domains.Within(WebToolSettings.Of(callers, call.Name).Domains),
            };
        }

        return call.Name == Search
            ? search.Search(call.Input, settings, cancellationToken)
            : fetch.Fetch(call.Input, settings, IsKnown, cancellationToken);

        // What the agent's author wrote is as good as what its user writes.
        bool IsKnown(Uri address) => call.Urls.Has(address, settings.Sources)
            || (settings.Sources.Allows(UrlSources.UserInput)
                && UrlScan.Keys(call.System ?? "", bareHosts: true).Contains(WebAddress.Key(address)));
    }
}

/// <summary>A call of a web tool, and what of its session it is judged by.</summary>
/// <param name="Tools">The agent's.</param>
/// <param name="System">The agent's own prompt, which may name pages.</param>
/// <param name="Urls">What the conversation has shown.</param>
public sealed record WebCall(
    string Name, JsonElement Input, IReadOnlyList<AgentTool> Tools, string? System, KnownUrls Urls)
{
    /// <summary>The tools of the agent that has it work; null when that is the user.</summary>
    public IReadOnlyList<AgentTool>? CallerTools { get; init; }
}
