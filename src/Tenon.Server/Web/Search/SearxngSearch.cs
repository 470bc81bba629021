namespace Tenon.Server.Web.Search;

/// <summary>A SearXNG of one's own. Its <c>settings.yml</c> must allow the format <c>json</c>.</summary>
internal sealed class SearxngSearch(Uri url, WebLimits limits, TimeProvider clock) : ISearchBackend, IDisposable
{
    private readonly SearchService _service = new(SearchOptions.Searxng, limits, clock);

    public string Name => SearchOptions.Searxng;

    public async Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken)
    {
        var text = Uri.EscapeDataString(SearchService.WithSites(query, limits.QueryCharsMax));
        var address = $"{url.AbsoluteUri.TrimEnd('/')}/search?q={text}&format=json&categories=general";
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        return SearchService.Hits(await _service.Ask(request, cancellationToken), "publishedDate");
    }

    public void Dispose() => _service.Dispose();
}
