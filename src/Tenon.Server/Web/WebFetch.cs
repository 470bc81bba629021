using System.Net;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web.Reading;
using Tenon.Wire.Content;

namespace Tenon.Server.Web;

/// <summary>
/// <c>web_fetch</c>: the text of one page, as a document (api E). It runs here and not in the sandbox, so that an
/// agent without any network has it, and every hop of it is judged.
/// </summary>
public sealed class WebFetch(
    WebConnections connections, DocumentReader reader, WebLimits limits, TimeProvider clock) : IDisposable
{
    private const int CharactersPerToken = 4;

    private readonly SemaphoreSlim _places = new(limits.FetchesMax);

    /// <param name="isKnown">Whether the conversation has shown the address.</param>
    /// <returns>The document, or what went wrong. It throws for the caller's own cancellation only.</returns>
    public async Task<ToolOutput> Fetch(
        JsonElement input, WebToolSettings settings, Func<Uri, bool> isKnown, CancellationToken cancellationToken)
    {
        using var time = new CancellationTokenSource(limits.FetchTimeMax, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            var address = WebAddress.Parse(
                JsonText.Member(input, "url")
                    ?? throw new WebToolException(WebToolException.InvalidInput, "url must be text."),
                limits.UrlCharsMax);
            Judge(address, settings.Domains);
            if (!isKnown(address))
            {
                throw new WebToolException(WebToolException.NotInContext,
                    "only URLs can be fetched that the user has given, or that stand in a result that may give them. "
                    + "Search for the page, or ask for its URL.");
            }

            await _places.WaitAsync(either.Token);
            try
            {
                return Show(await Load(address, settings.Domains, either.Token), settings.ContentTokensMax);
            }
            finally
            {
                _places.Release();
            }
        }
        catch (WebToolException exception)
        {
            return ToolOutput.Error(exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ToolOutput.Error($"{WebToolException.NotAccessible}: it took longer than "
                + $"{limits.FetchTimeMax.TotalSeconds:0} s.");
        }
    }

    public void Dispose() => _places.Dispose();

    private void Judge(Uri address, DomainList domains)
    {
        if (WebAddress.AddressOf(address) is { } literal)
        {
            // An address has no domain to judge it by.
            if (!domains.IsAll || !connections.AllowsLiteral(literal))
            {
                throw new WebToolException(WebToolException.NotAllowed,
                    $"{address.Host} is an address; a page is fetched by its host's name.");
            }
        }
        else if (!domains.Permits(address))
        {
            throw new WebToolException(
                WebToolException.NotAllowed, $"the agent's web_fetch may not reach {address.IdnHost}.");
        }
    }

    private async Task<WebPage> Load(Uri asked, DomainList domains, CancellationToken cancellationToken)
    {
        var address = asked;
        for (var hop = 0; hop <= limits.RedirectsMax; hop++)
        {
            using var response = await connections.Get(address, cancellationToken);
            if (Redirect(address, response) is not { } next)
            {
                return await Read(address, response, cancellationToken);
            }

            Judge(next, domains);
            address = next;
        }

        throw new WebToolException(
            WebToolException.NotAccessible, $"it redirects more than {limits.RedirectsMax} times.");
    }

    private Uri? Redirect(Uri address, HttpResponseMessage response)
    {
        if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found
            or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
        {
            return null;
        }

        if (response.Headers.Location is not { } location
            || !Uri.TryCreate(address, location, out var target))
        {
            throw new WebToolException(WebToolException.NotAccessible, "it redirects to nowhere.");
        }

        var next = ParseTarget(target);
        return address.Scheme == Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttps
            ? throw new WebToolException(WebToolException.NotAllowed, "it redirects from https to http.")
            : next;
    }

    private Uri ParseTarget(Uri target)
    {
        try
        {
            return WebAddress.Parse(target.AbsoluteUri, limits.UrlCharsMax);
        }
        catch (WebToolException exception) when (exception.Code != WebToolException.NotAllowed)
        {
            // It is not the model's mistake.
            throw new WebToolException(
                WebToolException.NotAccessible, "it redirects to an address that is none of a page.");
        }
    }

    private async Task<WebPage> Read(Uri address, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw new WebToolException(
                response.StatusCode == HttpStatusCode.TooManyRequests
                    ? WebToolException.TooMany : WebToolException.NotAccessible,
                $"{address.IdnHost} answered with the status {(int)response.StatusCode}.");
        }

        var body = await WebBody.Read(response, limits, cancellationToken);
        var document = body.Kind switch
        {
            WebBodyKind.Pdf => await reader.ReadPdf(body.Bytes, cancellationToken),
            WebBodyKind.Html => await reader.ReadHtml(address.AbsoluteUri, body.Text(), cancellationToken),
            _ => new DocumentText(null, body.Text(), false),
        };
        var text = TextCut.At(document.Text, limits.TextCharsMax);
        var isCut = body.IsCut || document.IsCut || text.Length < document.Text.Length;
        return new WebPage(address, document.Title, text, isCut, clock.GetUtcNow());
    }

    private static ToolOutput Show(WebPage page, int? tokensMax)
    {
        var charsMax = tokensMax is { } tokens ? (long)tokens * CharactersPerToken : long.MaxValue;
        var (text, isCut) = page.Text.Length > charsMax
            ? (TextCut.At(page.Text, (int)charsMax), true) : (page.Text, page.IsCut);
        var data = string.IsNullOrWhiteSpace(text) ? "[The page has no text.]"
            : isCut ? text + "\n\n[The page goes on; what is beyond was left out.]" : text;
        return new ToolOutput(
            [
                new DocumentBlock
                {
                    Source = new MediaSource { Type = "text", MediaType = "text/plain", Data = data },
                    Title = string.IsNullOrWhiteSpace(page.Title) ? null : page.Title,
                    Context = $"Fetched from {page.Address.AbsoluteUri} at {page.At:yyyy-MM-ddTHH:mm:ssZ}",
                },
            ],
            false);
    }

    private sealed record WebPage(Uri Address, string? Title, string Text, bool IsCut, DateTimeOffset At);
}
