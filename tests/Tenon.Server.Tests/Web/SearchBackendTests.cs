using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Server.Web.Search;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>What every back end of <c>web_search</c> does, whatever it asks.</summary>
public abstract class SearchBackendTests : IAsyncDisposable
{
    internal const string Key = "s3cret-key";

    private readonly List<IDisposable> _owned = [];

    internal PageHost Host { get; } = new();

    internal FakeTimeProvider Clock { get; } = new();

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A back end that knows pages with these titles and addresses, each about its title.</summary>
    protected abstract ISearchBackend Make(params (string Title, string Path, string Text)[] pages);

    /// <summary>What it says of the address with this path.</summary>
    protected abstract string UrlOf(string path);

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(owned => owned.Dispose());
        await Host.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task It_finds_pages_with_their_title_address_and_a_passage()
    {
        var backend = Own(
            Make(("Herons", "heron.md", "Herons eat fish."), ("Storks", "stork.md", "Storks eat frogs.")));

        var hits = await backend.Search(new SearchQuery("herons", DomainList.All, null), Token);

        Assert.Equal(("Herons", UrlOf("heron.md")), (hits[0].Title, hits[0].Url));
        Assert.Contains("Herons eat fish.", hits[0].Passages[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_found_is_no_error()
    {
        var backend = Own(Make());

        Assert.Empty(await backend.Search(new SearchQuery("herons", DomainList.All, null), Token));
    }

    [Theory]
    [InlineData("\"quoted\" OR NEAR( AND * : ^ - +")]
    [InlineData("'; DROP TABLE passages; --")]
    [InlineData("ключ 鍵 🔑 é")]
    [InlineData("a&b=c#d%20e")]
    public async Task Any_query_is_a_query(string text)
    {
        var backend = Own(Make(("Herons", "heron.md", "Herons eat fish.")));

        await backend.Search(new SearchQuery(text, DomainList.All, null), Token);
    }

    [Fact]
    public async Task Its_name_is_the_one_in_settings() =>
        Assert.Contains(Own(Make()).Name, SearchOptions.Backends);

    internal ISearchBackend Own(ISearchBackend backend)
    {
        _owned.Add((IDisposable)backend);
        return backend;
    }
}

/// <summary>What every back end does that asks a service over HTTP.</summary>
public abstract class SearchServiceTests : SearchBackendTests
{
    /// <summary>The path of the service.</summary>
    protected abstract string Path { get; }

    /// <summary>A back end that asks the host.</summary>
    protected abstract ISearchBackend Ask();

    protected override string UrlOf(string path) => $"https://birds.test/{path}";

    protected string Json(object answer) => JsonSerializer.Serialize(answer);

    [Theory]
    [InlineData(401, "unavailable: the search service ", "refused the server with the status 401")]
    [InlineData(403, "unavailable: the search service ", "refused the server with the status 403")]
    [InlineData(429, "too_many_requests: the search service ", "takes no more searches for now.")]
    [InlineData(500, "unavailable: the search service ", "answered with the status 500")]
    [InlineData(302, "unavailable: the search service ", "answered with the status 302")]
    public async Task A_refusal_is_told_without_what_the_service_said(int status, string begins, string says)
    {
        Host.Page(Path, http =>
        {
            http.Response.StatusCode = status;
            http.Response.Headers.Location = "http://elsewhere.test/";
            return http.Response.WriteAsync($"your key {Key} is wrong");
        });

        await Fails(begins, says);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("")]
    public async Task An_answer_that_is_no_json_is_told(string body)
    {
        Host.Page(Path, "application/json", body);

        await Fails("unavailable: the search service ", "did not answer in JSON");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"results":7,"web":null}""")]
    [InlineData("""{"results":[{"url":"\ud800"}],"web":{"results":[{"url":"x","extra_snippets":["\ud800",7]}]}}""")]
    [InlineData("""{"results":[7,null,{"title":7}],"web":{"results":[[],{"url":null}]}}""")]
    public async Task An_answer_of_another_shape_finds_nothing_that_can_be_shown(string body)
    {
        Host.Page(Path, "application/json", body);
        using var search = new WebSearch(Ask(), new WebLimits());

        var output = await search.Search(JsonElement.Parse("""{"query":"x"}"""), new WebToolSettings(), Token);

        Assert.Equal((false, "Nothing was found."), (output.IsError, WebLab.Text(output)));
    }

    [Fact]
    public async Task An_answer_without_end_is_left()
    {
        Host.Page(Path, async http =>
        {
            var chunk = new byte[1024 * 1024];
            chunk.AsSpan().Fill((byte)' ');
            for (var i = 0; i < 64 && !http.RequestAborted.IsCancellationRequested; i++)
            {
                await http.Response.Body.WriteAsync(chunk);
            }
        });

        await Fails("unavailable: the search service ", "answered too much");
    }

    [Fact]
    public async Task A_service_that_does_not_answer_is_given_up()
    {
        var (came, _) = Host.Hang(Path);
        var searching = Own(Ask()).Search(new SearchQuery("x", DomainList.All, null), Token);
        await came.WaitAsync(Token);

        Clock.Advance(new WebLimits().SearchTimeMax);

        var fault = await Assert.ThrowsAsync<WebToolException>(() => searching);
        Assert.EndsWith("did not answer within 20 s.", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_search_that_is_cancelled_is_left()
    {
        var (came, left) = Host.Hang(Path);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var searching = Own(Ask()).Search(new SearchQuery("x", DomainList.All, null), stop.Token);
        await came.WaitAsync(Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => searching);
        await left.WaitAsync(Token);
    }

    private async Task Fails(string begins, string says)
    {
        var fault = await Assert.ThrowsAsync<WebToolException>(
            () => Own(Ask()).Search(new SearchQuery("x", DomainList.All, null), Token));

        Assert.StartsWith(begins, fault.Message, StringComparison.Ordinal);
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, fault.ToString(), StringComparison.Ordinal);
    }
}
