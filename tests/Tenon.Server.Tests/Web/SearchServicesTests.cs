using System.Text.Json;
using Tenon.Server.Web;
using Tenon.Server.Web.Search;
using Xunit;

namespace Tenon.Server.Tests.Web;

public sealed class SearxngSearchTests : SearchServiceTests
{
    protected override string Path => "/sub/search";

    protected override ISearchBackend Ask() =>
        new SearxngSearch(new Uri($"http://127.0.0.2:{Host.Port}/sub/"), new WebLimits(), Clock);

    protected override ISearchBackend Make(params (string Title, string Path, string Text)[] pages)
    {
        Host.Page(Path, "application/json", Json(new
        {
            query = "q",
            results = pages.Select(page => new
            {
                title = page.Title, url = UrlOf(page.Path), content = page.Text, engine = "x",
                publishedDate = "2026-01-02T00:00:00",
            }),
        }));
        return Ask();
    }

    [Fact]
    public async Task It_is_asked_for_json_with_the_sites_that_are_allowed()
    {
        await Own(Make(("t", "x", "y"))).Search(
            new SearchQuery("grey herons & co", new DomainList(["a.com", "b.org/x"], null), null), Token);

        var request = Host.Requests.Single();
        Assert.Equal("GET", request.Method);
        Assert.Equal(
            "/sub/search?q=grey herons & co (site:a.com OR site:b.org)&format=json&categories=general",
            Uri.UnescapeDataString(request.Target));
        Assert.Contains("%26", request.Target, StringComparison.Ordinal);
    }
}

public sealed class BraveSearchTests : SearchServiceTests
{
    protected override string Path => "/res/v1/web/search";

    protected override ISearchBackend Ask() =>
        new BraveSearch(new Uri($"http://127.0.0.2:{Host.Port}{Path}"), Key, new WebLimits(), Clock);

    protected override ISearchBackend Make(params (string Title, string Path, string Text)[] pages)
    {
        Host.Page(Path, "application/json", Json(new
        {
            type = "search",
            web = new
            {
                results = pages.Select(page => new
                {
                    title = page.Title, url = UrlOf(page.Path), description = page.Text, page_age = "2026-01-02",
                    extra_snippets = new[] { "more" },
                }),
            },
        }));
        return Ask();
    }

    [Fact]
    public async Task It_is_asked_with_its_key_and_where_the_user_is()
    {
        await Own(Make(("t", "x", "y"))).Search(
            new SearchQuery("herons", new DomainList(["a.com"], null),
                new SearchLocation("Oslo", "Østlandet", "NO", "Europe/Oslo")), Token);

        var request = Host.Requests.Single();
        Assert.Equal(
            $"{Path}?q=herons site:a.com&count=20&result_filter=web&text_decorations=0&country=NO",
            Uri.UnescapeDataString(request.Target).Replace('+', ' '));
        Assert.Equal(
            (Key, "Oslo", "NO", "Europe/Oslo"),
            (request.Headers["X-Subscription-Token"], request.Headers["X-Loc-City"],
                request.Headers["X-Loc-Country"], request.Headers["X-Loc-Timezone"]));
        Assert.False(request.Headers.ContainsKey("X-Loc-State-Name"));
    }

    [Fact]
    public async Task A_country_that_it_does_not_know_is_not_said()
    {
        await Own(Make()).Search(
            new SearchQuery("herons", DomainList.All, new SearchLocation(null, null, "IS", null)), Token);

        Assert.DoesNotContain("country=", Host.Requests.Single().Target, StringComparison.Ordinal);
    }
}

public sealed class TavilySearchTests : SearchServiceTests
{
    protected override string Path => "/search";

    protected override ISearchBackend Ask() =>
        new TavilySearch(new Uri($"http://127.0.0.2:{Host.Port}{Path}"), Key, new WebLimits(), Clock);

    protected override ISearchBackend Make(params (string Title, string Path, string Text)[] pages)
    {
        Host.Page(Path, "application/json", Json(new
        {
            query = "q",
            results = pages.Select(page => new
            {
                title = page.Title, url = UrlOf(page.Path), content = page.Text, score = 0.5,
                raw_content = (string?)null,
            }),
        }));
        return Ask();
    }

    [Fact]
    public async Task It_is_asked_with_its_key_the_sites_and_the_country()
    {
        await Own(Make(("t", "x", "y"))).Search(
            new SearchQuery("herons", new DomainList(["a.com/x", "a.com/y", "b.org"], null),
                new SearchLocation(null, null, "GB", null)), Token);

        var request = Host.Requests.Single();
        Assert.Equal(("POST", $"Bearer {Key}"), (request.Method, request.Headers["Authorization"]));
        Assert.Equal(
            """{"query":"herons","max_results":20,"include_domains":["a.com","b.org"],"country":"united kingdom"}""",
            request.Body);
    }

    [Fact]
    public async Task A_blocked_path_does_not_leave_out_its_whole_site()
    {
        await Own(Make()).Search(
            new SearchQuery("herons", new DomainList(null, ["a.com", "b.org/x", "c.net/"]), null), Token);

        Assert.Equal(
            """["a.com","c.net"]""",
            JsonElement.Parse(Host.Requests.Single().Body).GetProperty("exclude_domains").GetRawText());
    }
}
