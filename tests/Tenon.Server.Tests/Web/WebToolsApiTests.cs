using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Configuration;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Server.Web.Search;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>The web tools of a whole server, over its API, and what <c>doctor</c> says of them.</summary>
public sealed class WebToolsApiTests : IAsyncDisposable
{
    private const string Toolset = """
        [{"type":"agent_toolset_20260401","default_config":{"enabled":false},"configs":[
          {"name":"web_search","enabled":true},
          {"name":"web_fetch","enabled":true,"blocked_domains":["blocked.test"],"max_content_tokens":5}]}]
        """;

    private readonly PageHost _host = new();
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _folder.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task An_agent_searches_fetches_and_reads_why_it_may_not()
    {
        File.WriteAllText(Path.Combine(_folder.Path, "heron.md"), "# Herons\n\nHerons eat fish.");
        using var lab = new WebLab(backend: lab => new LocalSearch(
            _folder.Path, new Uri(_host.Url("/docs/")), lab.Reader, lab.Limits, TimeProvider.System));
        await using var server = await TestServer.Start(services => services.AddSingleton(lab.Tools));
        _host.Page("/docs/heron.md", "text/markdown", "Herons eat fish, and frogs too.");
        var session = await server.NewSession(Toolset);
        session.Model.Calls("web_search", """{"query":"herons"}""")
            .Calls("web_fetch", $$"""{"url":"{{_host.Url("/docs/heron.md")}}"}""", "call_2")
            .Calls("web_fetch", $$"""{"url":"{{_host.Url("/", "blocked.test")}}"}""", "call_3").Says("done");

        var events = await session.Run(TestSession.Says($"What do herons eat? Not {_host.Url("/", "blocked.test")}"));

        var results = events.Where(e => e.Json.Text("type") == "agent.tool_result").Select(e => e.Json).ToList();
        Assert.Equal("search_result", results[0].Text("content.0.type"));
        Assert.Equal(_host.Url("/docs/heron.md"), results[0].Text("content.0.source"));
        Assert.Contains("Herons eat fish.", results[0].Text("content.0.content.0.text"), StringComparison.Ordinal);
        Assert.Equal("document", results[1].Text("content.0.type"));
        Assert.StartsWith("Herons eat fish, and\n", results[1].Text("content.0.source.data"), StringComparison.Ordinal);
        Assert.True(results[2].At("is_error").GetBoolean());
        Assert.StartsWith("url_not_allowed: ", results[2].Text("content.0.text"), StringComparison.Ordinal);
        var usage = (await session.Get()).At("usage.server_tool_use");
        Assert.Equal((1, 0), (
            usage.At("web_search_requests").GetInt32(), usage.At("web_fetch_requests").GetInt32()));
    }

    [Fact]
    public async Task An_agent_cannot_have_another_one_fetch_what_it_may_not_fetch_itself()
    {
        using var lab = new WebLab();
        await using var server = await TestServer.Start(services => services.AddSingleton(lab.Tools));
        _host.Page("/", "text/plain", "secret");
        var worker = (await server.Post("/v1/agents", $$"""
            {"name":"worker","model":"worker","system":"Read {{_host.Url("/", "blocked.test")}} always.",
             "tools":[{"type":"agent_toolset_20260401"}]}
            """)).Ok().Text("id");
        var lead = await server.NewAgent("lead", $$"""
            "tools":{{Toolset}},"multiagent":{"type":"coordinator","agents":["{{worker}}"]}
            """);
        var session = await server.NewSessionOf("lead", lead);
        session.Model.Calls("send_to_agent", """{"agent":"worker","message":"Read it."}""")
            .Says("Waiting.").Says("Ok.");
        server.Models.Of("worker").Calls("web_fetch", $$"""{"url":"{{_host.Url("/", "blocked.test")}}"}""").Says("No.");

        await session.Run(TestSession.Says("go"));

        var thread = (await server.Get($"{session.Path}/threads")).Ok().Text("data.1.id");
        var result = (await server.Get($"{session.Path}/threads/{thread}/events")).Ok().At("data").EnumerateArray()
            .Single(@event => @event.Text("type") == "agent.tool_result");
        Assert.StartsWith("url_not_allowed: ", result.Text("content.0.text"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://a.com/", true)]
    [InlineData("https://b.com/", false)]
    [InlineData("https://x.a.com/", false)]
    [InlineData("https://y.a.com/", false)]
    public void What_two_lists_permit_together_is_what_each_permits(string url, bool isPermitted)
    {
        var lists = new[] { new DomainList(["a.com", "b.com"], null), new(["a.com", "c.com"], null),
            new(null, ["x.a.com"]), new(null, ["y.a.com"]) };

        var forward = lists.Aggregate((below, above) => below.Within(above));
        var back = lists.Reverse().Aggregate((below, above) => below.Within(above));

        Assert.Equal((isPermitted, isPermitted), (forward.Permits(new Uri(url)), back.Permits(new Uri(url))));
    }

    [Fact]
    public async Task Doctor_says_whether_the_back_end_answers_and_never_its_key()
    {
        _host.Page("/search", http =>
        {
            http.Response.StatusCode = http.Request.Headers.Authorization == "Bearer right-key" ? 200 : 401;
            return http.Response.WriteAsync("""{"results":[]}""", Token);
        });
        var options = new SearchOptions(SearchOptions.Tavily) { Url = new Uri(_host.Url("/search", "127.0.0.2")) };

        var wrong = await WebCheck.Run(options with { Key = "wrong-key" }, TimeProvider.System, Token);
        var right = await WebCheck.Run(options with { Key = "right-key" }, TimeProvider.System, Token);
        var none = await WebCheck.Run(new SearchOptions((string?)null), TimeProvider.System, Token);

        Assert.Equal([true, true, true], new[] { wrong, right, none }.Select(check => check[0].Held));
        Assert.Equal([false, true, false], new[] { wrong, right, none }.Select(check => check[1].Held));
        Assert.DoesNotContain("wrong-key", wrong[1].ToString(), StringComparison.Ordinal);
        Assert.Contains("the status 401", wrong[1].Detail, StringComparison.Ordinal);
        Assert.Contains("tavily answers", right[1].Name, StringComparison.Ordinal);
        Assert.Contains("search.backend", none[1].Fix, StringComparison.Ordinal);
    }
}
