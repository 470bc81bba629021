namespace Tenon.Server.Web.Search;

/// <summary>The web search of Brave's API.</summary>
internal sealed class BraveSearch(
    Uri url, string key, WebLimits limits, TimeProvider clock) : ISearchBackend, IDisposable
{
    /// <summary>The most that it gives: some of them may be left out.</summary>
    private const int Count = 20;

    /// <summary>The countries that it knows; it refuses a search for any other.</summary>
    private static readonly HashSet<string> Countries =
    [
        "AR", "AU", "AT", "BE", "BR", "CA", "CL", "DK", "FI", "FR", "DE", "HK", "IN", "ID", "IT", "JP", "KR", "MY",
        "MX", "NL", "NZ", "NO", "CN", "PL", "PT", "PH", "RU", "SA", "ZA", "ES", "SE", "CH", "TW", "TR", "GB", "US",
    ];

    private readonly SearchService _service = new(SearchOptions.Brave, limits, clock);

    public string Name => SearchOptions.Brave;

    public async Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken)
    {
        var text = Uri.EscapeDataString(SearchService.WithSites(query, limits.QueryCharsMax));
        var country = query.Location?.Country is { } code && Countries.Contains(code) ? $"&country={code}" : "";
        using var request = new HttpRequestMessage(HttpMethod.Get,
            $"{url.AbsoluteUri}?q={text}&count={Count}&result_filter=web&text_decorations=0{country}");
        request.Headers.TryAddWithoutValidation("X-Subscription-Token", key);
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        Locate(request, "X-Loc-City", query.Location?.City);
        Locate(request, "X-Loc-State-Name", query.Location?.Region);
        Locate(request, "X-Loc-Country", query.Location?.Country);
        Locate(request, "X-Loc-Timezone", query.Location?.Timezone);
        var answer = await _service.Ask(request, cancellationToken);
        return
        [
            .. SearchService.List(answer, "web", "results").Select(result => new SearchHit(
                JsonText.Member(result, "title") ?? "", JsonText.Member(result, "url") ?? "",
                [
                    .. JsonText.Member(result, "description") is { } description ? [description] : (string[])[],
                    .. SearchService.List(result, "extra_snippets").Select(JsonText.Of).OfType<string>(),
                ],
                JsonText.Member(result, "page_age") ?? JsonText.Member(result, "age"))),
        ];
    }

    public void Dispose() => _service.Dispose();

    // A header holds plain letters only; a place with others is left out, and the country stays.
    private static void Locate(HttpRequestMessage request, string header, string? place)
    {
        if (place is not null && place.All(c => char.IsAscii(c) && !char.IsControl(c)))
        {
            request.Headers.TryAddWithoutValidation(header, place);
        }
    }
}
