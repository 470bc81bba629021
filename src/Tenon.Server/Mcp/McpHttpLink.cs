using ModelContextProtocol.Client;

namespace Tenon.Server.Mcp;

/// <summary>The way to a server over HTTP: every request goes through <see cref="McpRequests"/>.</summary>
internal sealed class McpHttpLink : IMcpLink
{
    /// <summary>Tries of a stream of events that was cut, before its call has failed.</summary>
    private const int ResumptionsMax = 2;

    private readonly McpRequests _requests;
    private readonly HttpClient _http;

    private McpHttpLink(Uri url, McpRequests requests, McpLimits limits)
    {
        _requests = requests;
        _http = new HttpClient(requests, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
        Transport = new HttpClientTransport(
            new HttpClientTransportOptions
            {
                Endpoint = url,
                TransportMode = HttpTransportMode.AutoDetect,
                ConnectionTimeout = limits.ListTimeMax,
                EnableStandaloneGetStream = false, // nothing is asked of us, and lists are read at every turn
                MaxReconnectionAttempts = ResumptionsMax,
            },
            _http);
    }

    public IClientTransport Transport { get; }

    public McpFaultException? Fault => _requests.Fault;

    /// <param name="url">Where the server is.</param>
    /// <param name="token">What it is asked with; null for none.</param>
    /// <exception cref="McpFaultException">The token may not be sent there.</exception>
    public static async Task<McpHttpLink> Open(
        Uri url, string? token, McpRequests requests, McpLimits limits, CancellationToken cancellationToken)
    {
        await requests.Authorize(token, cancellationToken);
        return new McpHttpLink(url, requests, limits);
    }

    public bool Carries(string? token) => _requests.Carries(token);

    public ValueTask Begin() => ValueTask.CompletedTask;

    public void End()
    {
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}
