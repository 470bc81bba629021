using System.IO.Compression;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>What <c>web_fetch</c> makes of what real hosts on loopback answer.</summary>
public sealed class WebFetchTests : IAsyncDisposable
{
    private readonly PageHost _host = new();
    private readonly WebLab _lab = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _lab.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task A_page_becomes_a_document_with_its_title_its_text_and_its_links()
    {
        _host.Page("/a/page", "text/html; charset=utf-8", """
            <html><head><title>The page</title><script>alert(1)</script><style>p{}</style></head><body>
            <h1>Heading</h1><p>Some <b>plain</b>   words,
            and <a href="../b?x=1&amp;y=2#part">a link</a>.</p>
            <ul><li>one</li><li>two<ol><li>deep</li></ol></li></ul>
            <pre>  code
              stays</pre><blockquote>said</blockquote><p hidden>unseen</p>
            <table><tr><th>k</th><th>v</th></tr><tr><td>a|b</td><td>1</td></tr></table>
            <img src="x.png" alt="a picture"></body></html>
            """);

        var output = await _lab.Fetch(_host.Url("/a/page#top"), Token);

        Assert.False(output.IsError);
        var document = Assert.IsType<DocumentBlock>(output.Content.Single());
        Assert.Equal(
            ("text", "text/plain", "The page"), (document.Source.Type, document.Source.MediaType, document.Title));
        Assert.StartsWith($"Fetched from {_host.Url("/a/page")} at ", document.Context, StringComparison.Ordinal);
        Assert.Equal(
            $"""
            # Heading

            Some plain words, and [a link]({_host.Url("/b?x=1&y=2#part")}).

            - one
            - two

              1. deep

            ```
              code
              stays
            ```

            > said

            | k | v |
            | --- | --- |
            | a\|b | 1 |

            [image: a picture]
            """,
            document.Source.Data);
    }

    [Fact]
    public async Task Of_a_page_with_an_article_the_article_is_read_and_not_what_stands_around_it()
    {
        var paragraphs = string.Concat(Enumerable.Range(0, 12).Select(i =>
            $"<p>Paragraph {i} of the story goes on for a while, with commas, so that it reads like prose.</p>"));
        _host.Page("/", "text/html", $"""
            <title>Story - Site</title><nav><a href="/x">Menu entry</a></nav>
            <div class="sidebar"><a href="/ad">Buy this</a></div>
            <article><h2>Story</h2>{paragraphs}<p>See <a href="/next">the next part</a>.</p></article>
            <footer>All rights reserved</footer>
            """);

        var text = WebLab.Text(await _lab.Fetch(_host.Url("/"), Token));

        Assert.Contains("Paragraph 0 of the story", text, StringComparison.Ordinal);
        Assert.Contains($"[the next part]({_host.Url("/next")})", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Buy this", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Menu entry", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/plain", "a <b> c")]
    [InlineData("application/json", """{"a":[1,2]}""")]
    [InlineData("application/problem+json", """{"a":1}""")]
    [InlineData("application/xml", "<a><b/></a>")]
    [InlineData("image/svg+xml", "<svg/>")]
    [InlineData("text/csv", "a,b\n1,2")]
    [InlineData("", "plain words without a type")]
    public async Task Text_of_other_kinds_stays_as_it_is(string type, string body)
    {
        _host.Page("/", type, body);

        var output = await _lab.Fetch(_host.Url("/"), Token);

        Assert.Equal((false, body), (output.IsError, WebLab.Text(output)));
    }

    [Theory]
    [InlineData("text/plain; charset=windows-1251", "привет", "windows-1251", "")]
    [InlineData("text/plain; charset=\"utf-8\"", "grüß", "utf-8", "")]
    [InlineData("text/plain", "grüß", "utf-8", "")]
    [InlineData("text/plain", "grüß", "windows-1252", "")]
    [InlineData("text/plain; charset=nonsense", "grüß", "utf-8", "")]
    [InlineData("text/plain; charset=iso-8859-1", "“grüß”", "windows-1252", "")]
    [InlineData("text/html", "日本語", "shift_jis", "<meta charset=shift_jis>")]
    [InlineData("text/html", "日本語", "euc-jp",
        "<meta http-equiv='Content-Type' content='text/html; charset=euc-jp'>")]
    [InlineData("application/xml", "żółw", "iso-8859-2", "<?xml version='1.0' encoding='iso-8859-2'?>")]
    public async Task Characters_are_read_as_the_page_or_its_server_says(
        string type, string text, string encoding, string head)
    {
        _host.Page("/", type, CodePagesEncodingProvider.Instance.GetEncoding(encoding)?.GetBytes(head + text)
            ?? Encoding.GetEncoding(encoding).GetBytes(head + text));

        Assert.EndsWith(text, WebLab.Text(await _lab.Fetch(_host.Url("/"), Token)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mark_at_the_beginning_says_more_of_the_characters_than_the_server_does()
    {
        _host.Page("/", "text/plain; charset=iso-8859-1",
            [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("žluť")]);

        Assert.Equal("žluť", WebLab.Text(await _lab.Fetch(_host.Url("/"), Token)));
    }

    [Fact]
    public async Task Requests_say_who_asks_and_bring_nothing_of_earlier_ones()
    {
        _host.Page("/", http =>
        {
            http.Response.Headers.SetCookie = "id=1";
            return http.Response.WriteAsync("hello");
        });

        await _lab.Fetch(_host.Url("/"), Token);
        await _lab.Fetch(_host.Url("/"), Token);

        Assert.Equal(2, _host.Requests.Count);
        foreach (var request in _host.Requests)
        {
            Assert.Equal("GET", request.Method);
            Assert.StartsWith("Tenon/", request.Headers["User-Agent"], StringComparison.Ordinal);
            Assert.Empty(request.Headers.Keys.Intersect(["Cookie", "Authorization", "Referer"]));
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    public async Task A_compressed_page_is_read(string encoding)
    {
        _host.Page("/", http => Compressed(http, encoding, stream => stream.Write("squeezed"u8)));

        Assert.Equal("squeezed", WebLab.Text(await _lab.Fetch(_host.Url("/"), Token)));
    }

    [Theory]
    [InlineData("image/png", "unsupported_content_type: it is image/png")]
    [InlineData("application/zip", "unsupported_content_type: it is application/zip")]
    [InlineData("video/mp4", "unsupported_content_type: it is video/mp4")]
    public async Task Other_media_are_refused_by_name(string type, string error)
    {
        _host.Page("/", type, "xxxx");

        await Refused(_host.Url("/"), error);
    }

    [Fact]
    public async Task What_does_not_say_what_it_is_and_is_no_text_is_refused()
    {
        _host.Page("/", "application/octet-stream", [1, 0, 2]);

        await Refused(_host.Url("/"), "unsupported_content_type: it does not say what it is");
    }

    [Theory]
    [InlineData(404, "url_not_accessible: site.test answered with the status 404.")]
    [InlineData(500, "url_not_accessible: site.test answered with the status 500.")]
    [InlineData(429, "too_many_requests: site.test answered with the status 429.")]
    public async Task A_status_that_is_no_success_is_told(int status, string error)
    {
        _host.Page("/", http =>
        {
            http.Response.StatusCode = status;
            return http.Response.WriteAsync("<p>sorry</p>");
        });

        await Refused(_host.Url("/"), error);
    }

    [Fact]
    public async Task A_redirect_is_followed_and_the_document_says_where_it_led()
    {
        _host.Redirect("/old", "/new?a=1").Page("/new", "text/plain", "here");

        var output = await _lab.Fetch(_host.Url("/old"), Token);

        var document = Assert.IsType<DocumentBlock>(output.Content.Single());
        Assert.Equal("here", document.Source.Data);
        Assert.Contains(_host.Url("/new?a=1"), document.Context!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_page_is_cut_at_the_agents_limit()
    {
        _host.Page("/", "text/plain", new string('a', 1_000));

        var output = await _lab.Fetch(_host.Url("/"), new WebToolSettings { ContentTokensMax = 10 }, Token);

        Assert.Equal(
            new string('a', 40) + "\n\n[The page goes on; what is beyond was left out.]", WebLab.Text(output));
    }

    [Fact]
    public async Task A_host_that_has_no_address_or_takes_no_connection_is_told()
    {
        await Refused("http://nowhere.invalid/", "url_not_accessible: the name nowhere.invalid has no address.");
        _lab.Names["closed.test"] = [PageHost.Address];
        await Refused("http://closed.test:1/", "url_not_allowed: port 1 ");
        using var taken = new System.Net.Sockets.Socket(
            System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(PageHost.Address, 0));
        await Refused(
            $"http://closed.test:{((IPEndPoint)taken.LocalEndPoint!).Port}/",
            "url_not_accessible: closed.test cannot be connected to");
    }

    private static async Task Compressed(HttpContext http, string encoding, Action<Stream> write)
    {
        http.Response.ContentType = "text/plain";
        http.Response.Headers.ContentEncoding = encoding;
        using var packed = new MemoryStream();
        await using (Stream stream = encoding switch
        {
            "gzip" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            "br" => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
        {
            write(stream);
        }

        await http.Response.Body.WriteAsync(packed.ToArray(), http.RequestAborted);
    }

    private async Task Refused(string url, string error)
    {
        var output = await _lab.Fetch(url, Token);

        Assert.True(output.IsError);
        Assert.StartsWith(error, WebLab.Text(output), StringComparison.Ordinal);
    }
}
