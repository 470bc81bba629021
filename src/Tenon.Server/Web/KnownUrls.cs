using Tenon.Wire.Content;

namespace Tenon.Server.Web;

/// <summary>
/// The URLs that a conversation has shown, by where they came from: the only ones that <c>web_fetch</c> opens, so that
/// a model cannot be talked into carrying data out in an address that it makes up.
/// </summary>
/// <remarks>Part of the history, and so a fold over the log. A compaction takes nothing away from it.</remarks>
public sealed class KnownUrls
{
    /// <summary>The newest of one session; a page may have thousands of links, and few of them are opened.</summary>
    private const int UrlsMax = 10_000;

    private readonly HashSet<(string Source, string Key)> _known = [];
    private readonly Queue<(string Source, string Key)> _order = [];
    private readonly HashSet<string> _sources = [];

    /// <summary>Takes note of the URLs in what came from a source.</summary>
    public void Note(string source, IEnumerable<ContentBlock> content)
    {
        _sources.Add(source);
        foreach (var key in content.SelectMany(Texts)
            .SelectMany(text => UrlScan.Keys(text, bareHosts: source == UrlSources.UserInput)))
        {
            if (!_known.Add((source, key)))
            {
                continue;
            }

            _order.Enqueue((source, key));
            if (_order.Count > UrlsMax)
            {
                _known.Remove(_order.Dequeue());
            }
        }
    }

    /// <summary>Whether the address has come from a source that counts.</summary>
    public bool Has(Uri address, UrlSources sources) =>
        _sources.Any(source => sources.Allows(source) && _known.Contains((source, WebAddress.Key(address))));

    private static IEnumerable<string> Texts(ContentBlock block) => block switch
    {
        TextBlock text => [text.Text],
        DocumentBlock { Source: { Type: "text", Data: { } data } } document =>
            [document.Title ?? "", document.Context ?? "", data],
        DocumentBlock { Source: { Type: "url", Url: { } url } } => [url],
        ImageBlock { Source: { Type: "url", Url: { } url } } => [url],
        SearchResultBlock found => [found.Source, .. found.Content.SelectMany(Texts)],
        _ => [],
    };
}
