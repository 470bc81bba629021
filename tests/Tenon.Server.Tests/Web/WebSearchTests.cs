using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Server.Web.Search;
using Tenon.Wire;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>What <c>web_search</c> shows of what a back end found.</summary>
public sealed class WebSearchTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Results_are_blocks_of_the_documented_shape()
    {
        var output = await Search(new Found(
            new SearchHit("A title", "https://a.com/x", ["One passage.", " ", "Another."], "2026-01-02"),
            new SearchHit("", "https://b.com/", [], null)));

        Assert.False(output.IsError);
        Assert.Equal(
            [
                """
                {"type":"search_result","title":"A title","source":"https://a.com/x","content":[
                {"type":"text","text":"One passage."},{"type":"text","text":"Another."},
                {"type":"text","text":"Published: 2026-01-02"}],"citations":{"enabled":false}}
                """.ReplaceLineEndings(""),
                """
                {"type":"search_result","title":"https://b.com/","source":"https://b.com/","content":[
                {"type":"text","text":"https://b.com/"}],"citations":{"enabled":false}}
                """.ReplaceLineEndings(""),
            ],
            output.Content.Select(block => JsonSerializer.Serialize(block, WireJson.Default.ContentBlock)));
    }

    [Theory]
    [InlineData("""{"query":""}""", "invalid_tool_input: query must be text.")]
    [InlineData("""{"query":"  "}""", "invalid_tool_input: query must be text.")]
    [InlineData("""{"query":7}""", "invalid_tool_input: query must be text.")]
    [InlineData("""{"query":"\udc00"}""", "invalid_tool_input: query must be text.")]
    [InlineData("{}", "invalid_tool_input: query must be text.")]
    [InlineData("null", "invalid_tool_input: query must be text.")]
    public async Task A_query_that_is_none_is_refused(string input, string error)
    {
        using var search = new WebSearch(new Found(), new WebLimits());

        var output = await search.Search(JsonElement.Parse(input), new WebToolSettings(), Token);

        Assert.Equal((true, error), (output.IsError, WebLab.Text(output)));
    }

    [Fact]
    public async Task A_query_that_is_too_long_is_refused()
    {
        using var search = new WebSearch(new Found(), new WebLimits());
        var input = JsonSerializer.SerializeToElement(new { query = new string('q', 401) });

        var output = await search.Search(input, new WebToolSettings(), Token);

        Assert.Equal((true, "query_too_long: a query has at most 400 characters."),
            (output.IsError, WebLab.Text(output)));
    }

    [Fact]
    public async Task Without_a_back_end_the_answer_names_the_setting()
    {
        var output = await Search(null);

        Assert.True(output.IsError);
        Assert.StartsWith("unavailable: ", WebLab.Text(output), StringComparison.Ordinal);
        Assert.Contains("search.backend (TENON_SEARCH_BACKEND)", WebLab.Text(output), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.com", null, "https://a.com/blog/1 https://sub.a.com/x")]
    [InlineData("a.com/blog", null, "https://a.com/blog/1")]
    [InlineData("a.com/*/1", null, "https://a.com/blog/1")]
    [InlineData("sub.a.com/", null, "https://sub.a.com/x")]
    [InlineData(null, "a.com", "https://nota.com/ local:file.md")]
    [InlineData(null, "a.com/blog", "https://sub.a.com/x https://nota.com/ local:file.md")]
    [InlineData("zz.com", null, "")]
    public async Task Sites_that_the_agent_may_not_see_are_left_out(string? allowed, string? blocked, string shown)
    {
        var settings = new WebToolSettings
        {
            Domains = new DomainList(allowed is null ? null : [allowed], blocked is null ? null : [blocked]),
        };

        var output = await Search(
            new Found([.. new[]
            {
                "https://a.com/blog/1", "https://sub.a.com/x", "https://nota.com/", "local:file.md",
            }.Select(url => new SearchHit("t", url, ["p"], null))]), settings);

        Assert.False(output.IsError);
        Assert.Equal(shown, string.Join(' ', output.Content.OfType<SearchResultBlock>().Select(found => found.Source)));
    }

    [Fact]
    public async Task What_is_no_page_comes_twice_or_is_too_much_is_left_out()
    {
        var hits = Enumerable.Range(0, 30).Select(i => new SearchHit("t", $"https://a.com/{i}", ["p"], null));

        var output = await Search(new Found(
        [
            new SearchHit("t", "javascript:alert(1)", [], null), new SearchHit("t", "", [], null),
            new SearchHit("t", "/relative", [], null),
            new SearchHit("t", "https://a.com/" + new string('x', 3_000), [], null),
            new SearchHit(
                new string('t', 999), "https://a.com/0", [new string('p', 9_999), "2", "3", "4"], null),
            .. hits,
        ]));

        var shown = output.Content.Cast<SearchResultBlock>().ToList();
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"https://a.com/{i}"), shown.Select(found => found.Source));
        Assert.Equal((300, 3, 2_000), (shown[0].Title.Length, shown[0].Content.Count,
            Assert.IsType<TextBlock>(shown[0].Content[0]).Text.Length));
    }

    [Fact]
    public async Task The_back_end_is_told_what_the_agent_says()
    {
        var backend = new Found();
        var settings = WebToolSettings.Of(
            [
                new Tenon.Wire.Agents.AgentToolset
                {
                    Configs =
                    [
                        new Tenon.Wire.Agents.ToolConfig
                        {
                            Name = "web_search",
                            Extra = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(
                                """
                                {"allowed_domains":["a.com"],
                                 "user_location":{"type":"approximate","city":"Oslo","country":"NO","region":null}}
                                """),
                        },
                    ],
                },
            ],
            "web_search");

        await Search(backend, settings);

        Assert.Equal(["a.com"], backend.Asked!.Domains.Allowed!);
        Assert.Equal(new SearchLocation("Oslo", null, "NO", null), backend.Asked.Location);
    }

    private static async Task<ToolOutput> Search(ISearchBackend? backend, WebToolSettings? settings = null)
    {
        using var search = new WebSearch(backend, new WebLimits());
        return await search.Search(
            JsonElement.Parse("""{"query":" herons "}"""), settings ?? new WebToolSettings(), Token);
    }

    private sealed class Found(params IReadOnlyList<SearchHit> hits) : ISearchBackend
    {
        public string Name => "found";

        public SearchQuery? Asked { get; private set; }

        public Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken)
        {
            Asked = query;
            return Task.FromResult(hits);
        }
    }
}
