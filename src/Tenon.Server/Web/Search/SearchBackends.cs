using Tenon.Server.Web.Reading;

namespace Tenon.Server.Web.Search;

/// <summary>The back end that the operator has chosen.</summary>
public static class SearchBackends
{
    /// <summary>Null when none is chosen.</summary>
    public static ISearchBackend? Of(
        SearchOptions options, DocumentReader reader, WebLimits limits, TimeProvider clock) => options.Backend switch
    {
        SearchOptions.Searxng => new SearxngSearch(options.Url!, limits, clock),
        SearchOptions.Brave => new BraveSearch(options.Url!, options.Key!, limits, clock),
        SearchOptions.Tavily => new TavilySearch(options.Url!, options.Key!, limits, clock),
        SearchOptions.Local => new LocalSearch(options.Folder!, options.FolderUrl, reader, limits, clock),
        _ => null,
    };
}
