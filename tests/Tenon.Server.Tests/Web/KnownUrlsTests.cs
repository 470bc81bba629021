using System.Text.Json;
using CsCheck;
using Tenon.Server.Web;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>Which URLs a conversation has shown, and which of them count (api B.1, <c>url_sources</c>).</summary>
public sealed class KnownUrlsTests
{
    [Theory]
    [InlineData("See https://a.com/x for more.", "https://a.com/x")]
    [InlineData("See https://a.com/x.", "https://a.com/x")]
    [InlineData("(https://a.com/x)", "https://a.com/x")]
    [InlineData("[text](https://a.com/x), and", "https://a.com/x")]
    [InlineData("<https://a.com/x>", "https://a.com/x")]
    [InlineData("'https://a.com/x'", "https://a.com/x")]
    [InlineData("**https://a.com/x**", "https://a.com/x")]
    [InlineData("https://en.wiki.org/wiki/C_(language)", "https://en.wiki.org/wiki/C_(language)")]
    [InlineData("(https://en.wiki.org/wiki/C_(language))", "https://en.wiki.org/wiki/C_(language)")]
    [InlineData("{\"u\":\"https://a.com/x?b=1&c=2\"}", "https://a.com/x?b=1&c=2")]
    [InlineData("href=\"https://a.com/x?b=1&amp;c=2\"", "https://a.com/x?b=1&c=2")]
    [InlineData("https://a.com/x,https://b.com/y", "https://b.com/y")]
    [InlineData("看https://a.com/x。好", "https://a.com/x")]
    [InlineData("HTTPS://A.com/x", "https://a.com/x")]
    [InlineData("http://a.com:80/x/", "https://a.com/x")]
    [InlineData("https://a.com/x#part", "https://a.com/x")]
    [InlineData("https://a.com", "https://a.com/")]
    [InlineData("https://bücher.example/x", "https://xn--bcher-kva.example/x")]
    public void A_url_is_found_in_what_stands_around_it(string text, string url) =>
        Assert.True(Has(ClientText(text), url));

    [Theory]
    [InlineData("https://a.com/x", "https://a.com/xy")]
    [InlineData("https://a.com/xy", "https://a.com/x")]
    [InlineData("https://a.com/x", "https://a.com/x?data=secret")]
    [InlineData("https://a.com/x", "https://a.com:8443/x")]
    [InlineData("https://a.com/x", "https://b.a.com/x")]
    [InlineData("https://a.com/x", "https://a.com/X")]
    [InlineData("a.com/x", "https://a.com/x")]
    [InlineData("", "https://a.com/")]
    public void A_url_that_was_not_shown_is_not_known(string text, string url) =>
        Assert.False(Has(ClientText(text), url));

    [Theory]
    [InlineData("what does example.com say?", "https://example.com/", true)]
    [InlineData("look at docs.example.com/a/b, please", "https://docs.example.com/a/b", true)]
    [InlineData("(example.com)", "http://example.com", true)]
    [InlineData("write to me@example.com", "https://example.com/", false)]
    [InlineData("version 1.2.3", "http://1.2.3", false)]
    public void A_user_may_leave_the_scheme_out(string text, string url, bool known)
    {
        var urls = new KnownUrls();
        urls.Note(UrlSources.UserInput, [ContentBlock.Of(text)]);

        Assert.Equal(known, Has(urls, url));
    }

    [Fact]
    public void Results_of_searches_and_documents_show_urls_in_all_of_their_parts()
    {
        var urls = new KnownUrls();
        urls.Note(UrlSources.ServerTool("web_search"),
        [
            new SearchResultBlock
            {
                Title = "t", Source = "https://a.com/1", Content = [ContentBlock.Of("see https://a.com/2")],
            },
            new DocumentBlock
            {
                Source = new MediaSource { Type = "text", MediaType = "text/plain", Data = "[x](https://a.com/3)" },
                Context = "Fetched from https://a.com/4 at",
            },
        ]);

        Assert.All(Enumerable.Range(1, 4), i => Assert.True(Has(urls, $"https://a.com/{i}")));
    }

    [Theory]
    [InlineData("null", "user client_a client_b search fetch")]
    [InlineData("""{"user_input":{"type":"none"}}""", "client_a client_b search fetch")]
    [InlineData("""{"client_tool_results":{"type":"none"}}""", "user search fetch")]
    [InlineData("""{"client_tool_results":{"type":"only","tools":[{"type":"tool_reference","name":"a"}]}}""",
        "user client_a search fetch")]
    [InlineData("""{"client_tool_results":{"type":"except","tools":[{"type":"tool_reference","name":"a"}]}}""",
        "user client_b search fetch")]
    [InlineData("""{"server_tool_results":{"type":"only","tools":[{"type":"tool_reference","name":"web_search"}]}}""",
        "user client_a client_b search")]
    [InlineData("""{"server_tool_results":{"type":"none"},"client_tool_results":{"type":"none"}}""", "user")]
    public void The_agents_rules_say_which_sources_count(string rules, string expected)
    {
        var json = JsonElement.Parse(rules);
        var sources = new UrlSources(json.ValueKind == JsonValueKind.Null ? null : json);
        var urls = new KnownUrls();
        foreach (var (name, source) in new[]
        {
            ("user", UrlSources.UserInput), ("client_a", UrlSources.ClientTool("a")),
            ("client_b", UrlSources.ClientTool("b")), ("search", UrlSources.ServerTool("web_search")),
            ("fetch", UrlSources.ServerTool("web_fetch")),
        })
        {
            urls.Note(source, [ContentBlock.Of($"https://a.com/{name}")]);
        }

        var known = new[] { "user", "client_a", "client_b", "search", "fetch" }
            .Where(name => urls.Has(new Uri($"https://a.com/{name}"), sources));

        Assert.Equal(expected, string.Join(' ', known));
    }

    [Fact]
    public void The_newest_urls_are_kept_when_there_are_too_many()
    {
        var urls = new KnownUrls();
        for (var i = 0; i <= 10_000; i++)
        {
            urls.Note("x", [ContentBlock.Of($"https://a.com/{i}")]);
        }

        Assert.Equal((false, true, true),
            (Has(urls, "https://a.com/0"), Has(urls, "https://a.com/1"), Has(urls, "https://a.com/10000")));
    }

    [Fact]
    public void No_text_breaks_the_search_for_urls_and_no_address_anything_else() =>
        Gen.OneOf(Gen.String, Gen.Char["htps:/.@%?#[]()&;é\0 \\"].Array[0, 60].Select(chars => new string(chars)))
            .Sample(text =>
            {
                Assert.All(UrlScan.Keys("http://a.test/" + text, bareHosts: true), Assert.NotNull);
                Assert.All(UrlScan.Keys(text, bareHosts: true), Assert.NotNull);
                try
                {
                    var uri = WebAddress.Parse("http://" + text, 2_048);
                    Assert.Equal((uri.UserInfo, uri.Fragment), ("", ""));
                }
                catch (WebToolException exception)
                {
                    Assert.NotEmpty(exception.Code);
                }
            });

    private static KnownUrls ClientText(string text)
    {
        var urls = new KnownUrls();
        urls.Note(UrlSources.ClientTool("any"), [ContentBlock.Of(text)]);
        return urls;
    }

    private static bool Has(KnownUrls urls, string url) => urls.Has(WebAddress.Parse(url, 2_048), UrlSources.All);
}
