using System.Text.Json;
using CsCheck;
using Tenon.Server.Mcp;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Mcp;

/// <summary>What of a server's list models are offered, and by which names.</summary>
public sealed class McpListTests : IAsyncDisposable
{
    private readonly McpLab _lab = new();
    private readonly McpHost _host = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("github", "create_issue", "^mcp__github__create_issue$")]
    [InlineData("a_b-c", "_d", "^mcp__a_b-c___d$")]
    [InlineData("My server", "search", "^mcp__My_server__search_[0-9a-f]{10}$")]
    [InlineData("a", "b.c/d", "^mcp__a__b_c_d_[0-9a-f]{10}$")]
    public void A_name_reads_as_the_two_it_is_made_of(string server, string tool, string offered) =>
        Assert.Matches(offered, McpToolName.Of(server, tool));

    [Fact]
    public void Names_that_could_be_read_in_two_ways_are_told_apart()
    {
        (string Server, string Tool)[] alike =
        [
            ("a", "b__c"), ("a__b", "c"), ("a_", "b"), ("a", "_b"), ("a b", "c"), ("a.b", "c"), ("a", "b c"),
            ("a", "b.c"), ("_", "_"), ("", "___"), (new string('x', 255), "y"), (new string('x', 254), "xy"),
        ];

        Assert.Equal(alike.Length, alike.Select(pair => McpToolName.Of(pair.Server, pair.Tool)).Distinct().Count());
    }

    [Fact]
    public void Every_name_is_one_that_services_take_and_no_two_are_the_same()
    {
        var part = Gen.String[Gen.Char["ab_-. é/"], 1, 90];
        Gen.Select(part, part, part, part).Sample((a, b, c, d) =>
        {
            var (one, other) = (McpToolName.Of(a, b), McpToolName.Of(c, d));
            return System.Text.RegularExpressions.Regex.IsMatch(one, "^mcp__[A-Za-z0-9_-]{0,59}$")
                && ((a, b) == (c, d) || one != other);
        });
    }

    [Theory]
    [InlineData("""{"type":"object","anyOf":[{}],"properties":{"a":{"anyOf":[{}]}}}""",
        """{"type":"object","properties":{"a":{"anyOf":[{}]}}}""")]
    [InlineData("""{"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{}}}""",
        """{"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{}},"type":"object"}""")]
    [InlineData("{}", """{"type":"object"}""")]
    public void A_schema_is_offered_as_services_take_it(string listed, string offered) =>
        Assert.Equal(offered, McpSchema.Adapt(JsonElement.Parse(listed), 32)!.Value.GetRawText());

    [Theory]
    [InlineData("[]")]
    [InlineData("true")]
    [InlineData("""{"type":"object","properties":[]}""")]
    [InlineData("""{"type":"object","properties":{"a b":{}}}""")]
    [InlineData("""{"type":"object","properties":{"":{}}}""")]
    [InlineData("""{"type":"object","description":"\ud800"}""")]
    [InlineData("""{"type":"object","type":"object"}""")]
    public void A_schema_that_no_service_takes_is_not_offered(string listed) =>
        Assert.Null(McpSchema.Adapt(JsonElement.Parse(listed), 32));

    [Fact]
    public void A_schema_that_is_too_deep_for_the_log_is_not_offered()
    {
        var deep = string.Concat(Enumerable.Repeat("""{"items":""", 40)) + "{}" + new string('}', 40);

        Assert.Null(McpSchema.Adapt(JsonElement.Parse($$$"""{"type":"object","properties":{"a":{{{deep}}}}}"""), 32));
    }

    [Fact]
    public async Task A_tool_that_cannot_be_offered_is_left_out_and_the_others_are_not()
    {
        _host.Says("good", "").Tool("bad", (_, _) => null!, schema: """{"type":"object","properties":{"a b":{}}}""")
            .Says(new string('x', 129), "").Says("last", "");

        var listing = await _lab.List(_host.Url, Token);

        Assert.Null(listing.Fault);
        Assert.Equal(["good", "last"], listing.Tools.Select(tool => tool.Name));
    }

    [Fact]
    public async Task Lists_are_bounded_in_tools_and_in_characters()
    {
        await using var few = new McpLab(new() { ToolsMax = 5 });
        await using var small = new McpLab(new() { ListCharsMax = 5_000, DescriptionCharsMax = 1_000 });
        Enumerable.Range(0, 10).ToList().ForEach(i => _host.Tool(
            $"tool_{i}", (_, _) => null!, description: new string('d', 2_000)));

        Assert.Equal(5, (await few.List(_host.Url, Token)).Tools.Count);
        var bounded = (await small.List(_host.Url, Token)).Tools;
        Assert.Equal(4, bounded.Count);
        Assert.All(bounded, tool => Assert.Equal(1_000, tool.Description.Length));
    }

    [Fact]
    public async Task A_list_without_end_is_left_after_so_many_pages()
    {
        await using var lab = new McpLab(new() { PagesMax = 3 });
        _host.PageSize = 0;
        _host.Says("one", "");

        Assert.Null((await lab.List(_host.Url, Token)).Fault);
        Assert.Equal(3, _host.Requests.Count(
            request => request.Body.Contains("tools/list", StringComparison.Ordinal)));
    }
}
