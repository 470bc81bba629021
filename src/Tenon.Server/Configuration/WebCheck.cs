using Tenon.Server.Sandboxes;
using Tenon.Server.Web;
using Tenon.Server.Web.Reading;
using Tenon.Server.Web.Search;

namespace Tenon.Server.Configuration;

/// <summary>What <c>tenon doctor</c> says of the web tools. Tenon serves without them.</summary>
internal static class WebCheck
{
    /// <summary>A word that every back end has heard of; the search is a real one, and a service may bill it.</summary>
    private const string Word = "example";

    public static async Task<IReadOnlyList<ProbeResult>> Run(
        SearchOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        var limits = new WebLimits();
        using var reader = new DocumentReader(limits, clock);
        return [await Read(reader, cancellationToken), await Search(options, reader, limits, clock)];
    }

    private static async Task<ProbeResult> Read(DocumentReader reader, CancellationToken cancellationToken)
    {
        const string Name = "web_fetch: pages are read in a process of their own";
        try
        {
            var page = await reader.ReadHtml("http://localhost/", "<p>It reads.</p>", cancellationToken);
            return new ProbeResult(Name, page.Text == "It reads.", $"it read '{page.Text}'", "Build Tenon again.");
        }
        catch (WebToolException exception)
        {
            return new ProbeResult(
                Name, false, exception.Message, "The program dotnet must lie above the runtime, as it is installed.");
        }
    }

    private static async Task<ProbeResult> Search(
        SearchOptions options, DocumentReader reader, WebLimits limits, TimeProvider clock)
    {
        var backend = SearchBackends.Of(options, reader, limits, clock);
        using var owned = backend as IDisposable;
        if (backend is null)
        {
            return new ProbeResult("web_search", false, "no back end is chosen, so agents do not have it",
                "Set search.backend (TENON_SEARCH_BACKEND) to searxng, brave, tavily or local.");
        }

        try
        {
            var hits = await backend.Search(new SearchQuery(Word, DomainList.All, null), CancellationToken.None);
            return new ProbeResult(
                $"web_search: {backend.Name} answers ({hits.Count} results for '{Word}')", true, "", "");
        }
        catch (WebToolException exception)
        {
            return new ProbeResult($"web_search by {backend.Name}", false, exception.Message,
                "docs/concepts/web-tools.md says what each back end needs.");
        }
    }
}
