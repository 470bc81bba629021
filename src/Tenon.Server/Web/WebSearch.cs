using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web.Search;
using Tenon.Wire.Content;

namespace Tenon.Server.Web;

/// <summary><c>web_search</c>: what the operator's back end finds, less the sites that the agent may not see (api E).
/// </summary>
public sealed class WebSearch(ISearchBackend? backend, WebLimits limits) : IDisposable
{
    /// <summary>What a person reads who asks why there are no searches.</summary>
    public const string HowToConfigure =
        "web_search is not set up on this server. Its operator chooses a back end with the setting search.backend "
        + "(TENON_SEARCH_BACKEND): searxng, brave, tavily or local.";

    private const int TitleCharsMax = 300;

    // There is no place in an agent's messages for citations, and services want them for all results or for none.
    private static readonly JsonElement NoCitations = JsonElement.Parse("""{"enabled":false}""");

    public bool IsConfigured => backend is not null;

    /// <returns>The results, or what went wrong. It throws for the caller's own cancellation only.</returns>
    public async Task<ToolOutput> Search(
        JsonElement input, WebToolSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            if (backend is null)
            {
                throw new WebToolException(WebToolException.Unavailable, HowToConfigure);
            }

            var hits = await backend.Search(
                new SearchQuery(Query(input), settings.Domains, settings.Location), cancellationToken);
            var shown = hits.Where(hit => IsShown(hit, settings.Domains)).DistinctBy(hit => hit.Url)
                .Take(limits.ResultsMax).Select(Show).ToList();
            return shown.Count > 0 ? new ToolOutput(shown, false) : ToolOutput.Ok("Nothing was found.");
        }
        catch (WebToolException exception)
        {
            return ToolOutput.Error(exception.Message);
        }
    }

    public void Dispose() => (backend as IDisposable)?.Dispose();

    private string Query(JsonElement input)
    {
        var text = JsonText.Member(input, "query")?.Trim() ?? "";
        return text.Length == 0
            ? throw new WebToolException(WebToolException.InvalidInput, "query must be text.")
            : text.Length > limits.QueryCharsMax
                ? throw new WebToolException(
                    WebToolException.QueryTooLong, $"a query has at most {limits.QueryCharsMax} characters.")
                : text;
    }

    // What is on no host, as a file of the local index may be, is on none that is allowed or blocked.
    private bool IsShown(SearchHit hit, DomainList domains) =>
        hit.Url.Length <= limits.UrlCharsMax && Uri.TryCreate(hit.Url, UriKind.Absolute, out var uri)
        && uri is { Scheme: "http" or "https" or "local" } && domains.Permits(uri);

    private SearchResultBlock Show(SearchHit hit)
    {
        var passages = hit.Passages.Where(passage => !string.IsNullOrWhiteSpace(passage)).Take(limits.PassagesMax)
            .Select(passage => TextCut.At(passage.Trim(), limits.PassageCharsMax));
        var texts = passages.Concat(hit.Published is { } date ? [$"Published: {date}"] : []).ToList();
        var title = TextCut.At(hit.Title.Trim(), TitleCharsMax);
        return new SearchResultBlock
        {
            Title = title.Length > 0 ? title : hit.Url,
            Source = hit.Url,
            Content = [.. (texts.Count > 0 ? texts : [hit.Url]).Select(ContentBlock.Of)],
            Citations = NoCitations,
        };
    }
}
