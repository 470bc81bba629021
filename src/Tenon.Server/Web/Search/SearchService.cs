using System.Net;
using System.Text.Json;

namespace Tenon.Server.Web.Search;

/// <summary>Asks a search service over HTTP, and reads its JSON within limits.</summary>
/// <remarks>
/// What the service says in an error is shown to nobody, because services quote requests, in which a key is. The
/// address is the operator's, so it may be a private one.
/// </remarks>
internal sealed class SearchService(string name, WebLimits limits, TimeProvider clock) : IDisposable
{
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false, // a redirect would carry the key to another host
        AutomaticDecompression = DecompressionMethods.All,
        UseCookies = false,
    });

    /// <exception cref="WebToolException">There is no answer that can be read.</exception>
    public async Task<JsonElement> Ask(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(limits.SearchTimeMax, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            using var response = await _http.SendAsync(request, either.Token);
            return response.IsSuccessStatusCode
                ? JsonElement.Parse(await Read(response.Content, either.Token))
                : throw Refusal(response.StatusCode);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unavailable($"did not answer within {limits.SearchTimeMax.TotalSeconds:0} s");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException)
        {
            throw Unavailable("cannot be reached");
        }
        catch (JsonException)
        {
            throw Unavailable("did not answer in JSON");
        }
    }

    /// <summary>The objects of a list somewhere in the answer; none where there is no such list.</summary>
    public static IEnumerable<JsonElement> List(JsonElement json, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(name, out json))
            {
                return [];
            }
        }

        return json.ValueKind == JsonValueKind.Array ? json.EnumerateArray() : [];
    }

    /// <summary>The results of an answer that names them as most services do.</summary>
    /// <param name="published">The member that says when a page appeared.</param>
    public static IReadOnlyList<SearchHit> Hits(JsonElement answer, string published) =>
    [
        .. List(answer, "results").Select(result => new SearchHit(
            JsonText.Member(result, "title") ?? "", JsonText.Member(result, "url") ?? "",
            JsonText.Member(result, "content") is { } content ? [content] : [],
            JsonText.Member(result, published))),
    ];

    /// <summary>The query with the sites that it may be about, as most engines understand it.</summary>
    public static string WithSites(SearchQuery query, int charsMax)
    {
        var sites = new List<string>();
        var length = query.Text.Length;
        foreach (var site in (query.Domains.Allowed ?? []).Select(DomainList.HostOf).Distinct())
        {
            length += site.Length + " OR site:".Length;
            if (length > charsMax)
            {
                break; // the results are judged all the same
            }

            sites.Add($"site:{site}");
        }

        return sites.Count switch
        {
            0 => query.Text,
            1 => $"{query.Text} {sites[0]}",
            _ => $"{query.Text} ({string.Join(" OR ", sites)})",
        };
    }

    public void Dispose() => _http.Dispose();

    private async Task<byte[]> Read(HttpContent content, CancellationToken cancellationToken)
    {
        await using var body = await content.ReadAsStreamAsync(cancellationToken);
        var bytes = new byte[limits.SearchBytesMax + 1];
        var count = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        return count < bytes.Length ? bytes[..count] : throw Unavailable("answered too much");
    }

    private WebToolException Refusal(HttpStatusCode status) => status switch
    {
        HttpStatusCode.TooManyRequests => new WebToolException(
            WebToolException.TooMany, $"the search service {name} takes no more searches for now."),
        HttpStatusCode.Unauthorized or HttpStatusCode.PaymentRequired or HttpStatusCode.Forbidden =>
            Unavailable($"refused the server with the status {(int)status}; its operator must look at the settings"),
        _ => Unavailable($"answered with the status {(int)status}"),
    };

    private WebToolException Unavailable(string what) =>
        new(WebToolException.Unavailable, $"the search service {name} {what}.");
}
