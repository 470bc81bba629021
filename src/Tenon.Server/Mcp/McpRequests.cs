using System.Net;
using System.Net.Http.Headers;
using Tenon.Server.Egress;

namespace Tenon.Server.Mcp;

/// <summary>
/// What every request to one server goes through, whatever the protocol's library means by it: the token is put in and
/// goes to that server alone, a rejected one is renewed once, and the answer is bounded.
/// </summary>
/// <param name="network">The connections.</param>
/// <param name="endpoint">The server's URL. No request leaves for another host.</param>
/// <param name="tokenOf">Gives the token, and another one for a token that was rejected.</param>
internal sealed class McpRequests(
    McpNetwork network, Uri endpoint, Func<string?, CancellationToken, Task<string?>> tokenOf, McpLimits limits)
    : DelegatingHandler(network.Requests)
{
    private static readonly ProductInfoHeaderValue Agent = new(
        "Tenon", typeof(McpRequests).Assembly.GetName().Version?.ToString(3) ?? "0");

    private readonly HashSet<string> _tokens = [];
    private volatile string? _token;
    private volatile Replacements _secrets = new([]);

    /// <summary>Why a request was refused here, or its answer; null while none was.</summary>
    public McpFaultException? Fault { get; private set; }

    /// <summary>Whether this is the token that requests carry.</summary>
    public bool Carries(string? token) => _token == token;

    /// <summary>Takes the token for the requests to come.</summary>
    /// <exception cref="McpFaultException">It may not be sent to such a URL.</exception>
    public async Task Authorize(string? token, CancellationToken cancellationToken)
    {
        if (token is not null && endpoint.Scheme != Uri.UriSchemeHttps
            && !await network.IsOperators(endpoint.IdnHost, cancellationToken))
        {
            throw new McpFaultException(McpFault.Authentication,
                "there is a credential for it, and its URL is plain http, over which none is sent. Use https.");
        }

        if (token is not null)
        {
            lock (_tokens)
            {
                _tokens.Add(token);
                _secrets = new Replacements(_tokens.SelectMany(SecretForms.Of).Select(form => (form, "[secret]", 0)));
            }
        }

        _token = token;
    }

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.UserAgent.Add(Agent);
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (request.Method == HttpMethod.Delete)
        {
            time.CancelAfter(limits.CloseTimeMax);
        }

        try
        {
            return await Bounded(await Authorized(request, time.Token), time.Token);
        }
        catch (McpFaultException exception)
        {
            Fault = exception;
            throw;
        }
    }

    private async Task<HttpResponseMessage> Authorized(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var token = _token;
        var response = await Followed(request, token, cancellationToken);
        if (response.StatusCode == HttpStatusCode.Unauthorized && token is not null)
        {
            // A request that was not let in did nothing: it can be made again.
            response.Dispose();
            token = await Renewed(token, cancellationToken);
            response = await Followed(request, token, cancellationToken);
        }

        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            var status = (int)response.StatusCode;
            response.Dispose();
            throw new McpFaultException(McpFault.Authentication, token is null
                ? $"it answered {status}: it wants a credential, and the session's vaults have none for its URL."
                : $"it answered {status}: it rejects the credential that the session's vaults have for it.");
        }

        return response;
    }

    private async Task<string> Renewed(string rejected, CancellationToken cancellationToken)
    {
        // Another request may have renewed it meanwhile.
        if (_token is { } now && now != rejected)
        {
            return now;
        }

        var other = await tokenOf(rejected, cancellationToken);
        if (other is null || other == rejected)
        {
            throw new McpFaultException(McpFault.Authentication,
                "it answered 401: it rejects the credential that the session's vaults have for it, "
                + "and there is no newer one.");
        }

        await Authorize(other, cancellationToken);
        return other;
    }

    /// <summary>Follows redirects that stay at the server: many have the path with a slash, or without one.</summary>
    private async Task<HttpResponseMessage> Followed(
        HttpRequestMessage request, string? token, CancellationToken cancellationToken)
    {
        for (var redirects = 0; ; redirects++)
        {
            if (Origin(request.RequestUri!) != Origin(endpoint))
            {
                throw new McpFaultException(McpFault.Connection,
                    $"it sends on to {Origin(request.RequestUri!)}, which no token is sent to. Is that its URL?");
            }

            request.Headers.Authorization = token is null ? null : Bearer(token);
            var response = await base.SendAsync(request, cancellationToken);
            if (!IsRedirect(request.Method, response.StatusCode) || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            if (redirects == limits.RedirectsMax)
            {
                throw new McpFaultException(
                    McpFault.Connection, $"it sends on more than {limits.RedirectsMax} times.");
            }

            request.RequestUri = new Uri(request.RequestUri!, location);
        }
    }

    // Those of the others ask for another method, with which the request would mean something else.
    private static bool IsRedirect(HttpMethod method, HttpStatusCode status) =>
        status is HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect
        || (method == HttpMethod.Get && status is HttpStatusCode.MovedPermanently or HttpStatusCode.Found);

    private static AuthenticationHeaderValue Bearer(string token)
    {
        try
        {
            return new AuthenticationHeaderValue("Bearer", token);
        }
        catch (FormatException)
        {
            // It has a line break, and its own words would have the token.
            throw new McpFaultException(McpFault.Authentication,
                "the credential that the session's vaults have for it is no text that a header can carry.");
        }
    }

    private static string Origin(Uri url) => url.GetLeftPart(UriPartial.Authority).ToLowerInvariant();

    private async Task<HttpResponseMessage> Bounded(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var type = response.Content.Headers.ContentType;
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        response.Content = new StreamContent(new McpBody(body, limits.AnswerBytesMax, _secrets));
        response.Content.Headers.ContentType = type;
        return response;
    }
}
