using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Tenon.Server.Egress;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web;
using Tenon.Server.Web.Reading;
using Tenon.Server.Web.Search;
using Tenon.Wire.Content;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// The web tools as a server has them, whose operator lets through the one address that a <see cref="PageHost"/> has.
/// Names that end in <c>.test</c> lead there.
/// </summary>
public sealed class WebLab : IDisposable
{
    private readonly WebConnections _connections;
    private readonly WebFetch _fetch;
    private readonly WebSearch _search;

    public WebLab(WebLimits? limits = null, TimeProvider? clock = null, Func<WebLab, ISearchBackend>? backend = null)
    {
        Limits = limits ?? new WebLimits();
        var options = new EgressOptions { AllowedRanges = [new IPNetwork(PageHost.Address, 32)] };
        _connections = new WebConnections(options, Resolve, Limits);
        Reader = new DocumentReader(Limits, clock ?? TimeProvider.System);
        _fetch = new WebFetch(_connections, Reader, Limits, clock ?? TimeProvider.System);
        _search = new WebSearch(backend?.Invoke(this), Limits);
        Tools = new WebTools(_fetch, _search);
    }

    public WebLimits Limits { get; }

    public DocumentReader Reader { get; }

    public WebTools Tools { get; }

    /// <summary>What names lead to, where it is not the page host.</summary>
    public ConcurrentDictionary<string, IPAddress[]> Names { get; } = new();

    /// <summary>Every name that was looked up.</summary>
    public ConcurrentQueue<string> Lookups { get; } = new();

    /// <summary>Fetches an address that the user has given.</summary>
    public Task<ToolOutput> Fetch(string url, WebToolSettings settings, CancellationToken cancellationToken) =>
        _fetch.Fetch(JsonSerializer.SerializeToElement(new { url }), settings, _ => true, cancellationToken);

    public Task<ToolOutput> Fetch(string url, CancellationToken cancellationToken) =>
        Fetch(url, new WebToolSettings(), cancellationToken);

    /// <summary>The text of a result, whatever block it is in.</summary>
    public static string Text(ToolOutput output) => output.Content.Single() switch
    {
        TextBlock text => text.Text,
        DocumentBlock document => document.Source.Data!,
        var other => throw new ArgumentException(other.Type),
    };

    public void Dispose()
    {
        _fetch.Dispose();
        _search.Dispose();
        Reader.Dispose();
        _connections.Dispose();
    }

    private Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken)
    {
        Lookups.Enqueue(host);
        return Names.TryGetValue(host, out var addresses) ? Task.FromResult(addresses)
            : IPAddress.TryParse(host, out var literal) ? Task.FromResult<IPAddress[]>([literal])
            : host.EndsWith(".test", StringComparison.Ordinal)
                ? Task.FromResult<IPAddress[]>([PageHost.Address])
                : throw new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.HostNotFound);
    }
}
