using System.Net;
using System.Net.Sockets;
using System.Reflection;
using Tenon.Server.Egress;

namespace Tenon.Server.Web;

/// <summary>
/// The connections to the web's hosts, by <see cref="GuardedDial"/>.
/// </summary>
public sealed class WebConnections : IDisposable
{
    private const int HeadKilobytesMax = 64;

    /// <summary>Long enough for the redirects of one site; a connection keeps no address alive for longer.</summary>
    private static readonly TimeSpan IdleMax = TimeSpan.FromSeconds(10);

    private static readonly string Agent = "Tenon/"
        + (typeof(WebConnections).Assembly.GetName().Version?.ToString(3) ?? "0") + " (web_fetch)";

    private readonly EgressOptions _options;
    private readonly GuardedDial _dial;
    private readonly HttpMessageInvoker _http;

    public WebConnections(EgressOptions options, ResolveName resolve, WebLimits limits)
    {
        _options = options;
        _dial = new GuardedDial(new AddressGuard(options.AllowedRanges, resolve), limits.ConnectTimeMax);
        _http = new HttpMessageInvoker(Handler());
    }

    /// <summary>Connections under the same guard, for whatever else is asked of hosts that others name.</summary>
    public SocketsHttpHandler Handler() => new()
    {
        AllowAutoRedirect = false, // each is judged anew
        AutomaticDecompression = DecompressionMethods.All, // as it is read, so a bomb ends at the limit
        ConnectCallback = _dial.Connect,
        Credentials = null,
        MaxResponseDrainSize = 0, // what is not read is left
        MaxResponseHeadersLength = HeadKilobytesMax,
        PooledConnectionIdleTimeout = IdleMax,
        PooledConnectionLifetime = IdleMax,
        UseCookies = false,
        UseProxy = false, // a proxy would resolve the name itself
    };

    /// <summary>Asks for a page; the answer's body is still to be read.</summary>
    /// <exception cref="WebToolException">The host may not be dialled, or does not answer.</exception>
    public async Task<HttpResponseMessage> Get(Uri address, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.TryAddWithoutValidation("User-Agent", Agent);
        request.Headers.TryAddWithoutValidation(
            "Accept", "text/html,application/xhtml+xml,application/pdf;q=0.9,text/*;q=0.8,*/*;q=0.1");
        try
        {
            return await _http.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException exception) when (exception.InnerException is AddressRefusedException refusal)
        {
            throw new WebToolException(WebToolException.NotAllowed, refusal.Message);
        }
        catch (HttpRequestException exception)
        {
            throw new WebToolException(WebToolException.NotAccessible, Reason(address, exception));
        }
    }

    /// <summary>Whether the operator lets addresses stand in the place of names, as this one does.</summary>
    public bool AllowsLiteral(IPAddress address) => _options.AllowedRanges.Any(range => range.Contains(address));

    public void Dispose() => _http.Dispose();

    private static string Reason(Uri address, HttpRequestException exception) => exception.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => $"the name {address.IdnHost} has no address.",
        HttpRequestError.SecureConnectionError => $"{address.IdnHost} could not prove over TLS who it is.",
        HttpRequestError.ConfigurationLimitExceeded => "the head of the answer is too long.",
        HttpRequestError.InvalidResponse => "the answer is not HTTP as it should be.",
        _ when exception.InnerException is SocketException socket =>
            $"{address.IdnHost} cannot be connected to: {socket.Message}.",
        _ => $"the connection to {address.IdnHost} failed.",
    };
}
