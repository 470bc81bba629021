using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using SmartReader;

namespace Tenon.Server.Web.Reading;

/// <summary>What a person reads on a page: the article where there is one, and else all of it.</summary>
internal static class HtmlText
{
    /// <summary>An article with less is a mistake, on a page that is a list or a program.</summary>
    private const int ArticleCharsMin = 500;

    public static DocumentText Read(string html, string url, int charsMax)
    {
        var document = new HtmlParser().ParseDocument(html);
        var article = new Reader(url, html).GetArticle();
        var title = First(article.Title, document.Title);
        var page = new Uri(Base(document, url));
        if (article.IsReadable && article.Content is { Length: > 0 } content)
        {
            var (text, isCut) = Markdown.Of(new HtmlParser().ParseDocument(content).Body!, page, charsMax);
            if (text.Length >= ArticleCharsMin)
            {
                return new DocumentText(title, text, isCut);
            }
        }

        var (whole, isWholeCut) = document.Body is { } body ? Markdown.Of(body, page, charsMax) : ("", false);
        return new DocumentText(title, whole, isWholeCut);
    }

    private static string? First(params ReadOnlySpan<string?> titles)
    {
        foreach (var title in titles)
        {
            if (!string.IsNullOrWhiteSpace(title))
            {
                return title.Trim();
            }
        }

        return null;
    }

    // Links are relative to what the page says, when it says so.
    private static string Base(IDocument document, string url) =>
        document.QuerySelector("base[href]")?.GetAttribute("href") is { } href
            && Uri.TryCreate(new Uri(url), href, out var uri) && uri.Scheme is "http" or "https"
                ? uri.AbsoluteUri : url;
}
