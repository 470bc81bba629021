using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Tenon.Server.Web.Search;

/// <summary>The search of Tavily's API.</summary>
internal sealed class TavilySearch(
    Uri url, string key, WebLimits limits, TimeProvider clock) : ISearchBackend, IDisposable
{
    /// <summary>The most that it gives: some of them may be left out.</summary>
    private const int Count = 20;

    /// <summary>It takes countries by name, and refuses those that it does not know: these are sure.</summary>
    private static readonly Dictionary<string, string> Countries = new()
    {
        ["AR"] = "argentina", ["AT"] = "austria", ["AU"] = "australia", ["BE"] = "belgium", ["BR"] = "brazil",
        ["CA"] = "canada", ["CH"] = "switzerland", ["CL"] = "chile", ["CN"] = "china", ["DE"] = "germany",
        ["DK"] = "denmark", ["ES"] = "spain", ["FI"] = "finland", ["FR"] = "france", ["GB"] = "united kingdom",
        ["GR"] = "greece", ["HU"] = "hungary", ["ID"] = "indonesia", ["IE"] = "ireland", ["IL"] = "israel",
        ["IN"] = "india", ["IT"] = "italy", ["JP"] = "japan", ["KR"] = "south korea", ["MX"] = "mexico",
        ["MY"] = "malaysia", ["NL"] = "netherlands", ["NO"] = "norway", ["NZ"] = "new zealand",
        ["PH"] = "philippines", ["PL"] = "poland", ["PT"] = "portugal", ["RO"] = "romania", ["SE"] = "sweden",
        ["SG"] = "singapore", ["TH"] = "thailand", ["TR"] = "turkey", ["TW"] = "taiwan", ["UA"] = "ukraine",
        ["US"] = "united states", ["VN"] = "vietnam", ["ZA"] = "south africa",
    };

    private readonly SearchService _service = new(SearchOptions.Tavily, limits, clock);

    public string Name => SearchOptions.Tavily;

    public async Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["query"] = query.Text, ["max_results"] = Count };
        AddHosts(body, "include_domains", query.Domains.Allowed);

        // A path cannot be said, and leaving out the whole host would leave out too much.
        AddHosts(body, "exclude_domains", query.Domains.Blocked?.Where(entry => !entry.TrimEnd('/').Contains('/')));
        if (query.Location?.Country is { } code && Countries.TryGetValue(code, out var country))
        {
            body["country"] = country;
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, url);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        request.Content = new StringContent(body.ToJsonString(), new MediaTypeHeaderValue("application/json"));
        return SearchService.Hits(await _service.Ask(request, cancellationToken), "published_date");
    }

    public void Dispose() => _service.Dispose();

    private static void AddHosts(JsonObject body, string name, IEnumerable<string>? entries)
    {
        if (entries?.Select(DomainList.HostOf).Distinct().ToList() is { Count: > 0 } hosts)
        {
            body[name] = new JsonArray([.. hosts.Select(host => JsonValue.Create(host))]);
        }
    }
}
