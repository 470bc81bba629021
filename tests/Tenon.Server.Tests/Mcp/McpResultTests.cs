using System.Text;
using System.Text.Json;
using ModelContextProtocol.Protocol;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Xunit;

namespace Tenon.Server.Tests.Mcp;

/// <summary>What becomes of each kind of content that a server may answer.</summary>
public sealed class McpResultTests : IAsyncDisposable
{
    private readonly McpLab _lab = new();
    private readonly McpHost _host = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Texts_resources_and_links_are_blocks_and_pictures_are_kept()
    {
        var picture = MediaSamples.Png;
        _host.Gives("all",
            new TextContentBlock { Text = "a" },
            ImageContentBlock.FromBytes(picture, "image/png"),
            new EmbeddedResourceBlock
            {
                Resource = new TextResourceContents { Uri = "file:///a.md", MimeType = "text/markdown", Text = "# A" },
            },
            new EmbeddedResourceBlock
            {
                Resource = BlobResourceContents.FromBytes(picture, "file:///b.png", "image/png"),
            },
            new ResourceLinkBlock { Name = "c", Uri = "file:///c", Description = "the c" },
            AudioContentBlock.FromBytes(new byte[3], "audio/wav"));

        var output = await _lab.Call(_host.Url, "all", Token);

        JsonAssert.Equal(
            """
            [{"type":"text","text":"a"},
             {"type":"document","source":{"type":"text","media_type":"text/plain","data":"# A"},
              "title":"file:///a.md"},
             {"type":"text","text":"[A resource of this server: c, file:///c: the c]"},
             {"type":"text","text":"[A sound of type audio/wav, which cannot be shown.]"}]
            """, JsonSerializer.SerializeToElement(output.Content, WireJson.Default.IReadOnlyListContentBlock));
        Assert.Equal([(1, "image"), (2, "file:///b.png")], output.Media.Select(media => (media.Before, media.Name)));
        Assert.All(output.Media, media => Assert.Equal(picture, media.Bytes));
    }

    [Fact]
    public async Task An_error_of_the_tool_is_one_and_its_words_are_kept()
    {
        _host.Tool("bad", (_, _) => Task.FromResult(new CallToolResult
        {
            IsError = true, Content = [new TextContentBlock { Text = "no such city" }],
        }));

        var output = await _lab.Call(_host.Url, "bad", Token);

        Assert.Equal((true, "no such city"), (output.IsError, McpLab.Text(output)));
    }

    [Fact]
    public async Task An_error_of_the_protocol_is_one_too()
    {
        var output = await _lab.Call(_host.Url, "gone", Token);

        Assert.True(output.IsError);
        Assert.StartsWith("s: ", McpLab.Text(output), StringComparison.Ordinal);
        Assert.Contains("no tool gone", McpLab.Text(output), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"degrees":14}""", """{"degrees":14}""")]
    [InlineData(null, "(no output)")]
    public async Task A_result_without_content_is_its_structure_or_says_so(string? structure, string expected)
    {
        _host.Tool("quiet", (_, _) => Task.FromResult(new CallToolResult
        {
            StructuredContent = structure is null ? null : JsonElement.Parse(structure),
        }));

        Assert.Equal(expected, McpLab.Text(await _lab.Call(_host.Url, "quiet", Token)));
    }

    [Fact]
    public async Task What_structure_says_again_is_not_repeated()
    {
        _host.Tool("both", (_, _) => Task.FromResult(new CallToolResult
        {
            Content = [new TextContentBlock { Text = "14" }], StructuredContent = JsonElement.Parse("""{"d":14}"""),
        }));

        Assert.Equal("14", McpLab.Text(await _lab.Call(_host.Url, "both", Token)));
    }

    [Fact]
    public async Task A_result_of_many_pieces_is_cut()
    {
        _host.Gives("many", [.. Enumerable.Range(0, 100).Select(i => new TextContentBlock { Text = $"{i} " })]);

        var output = await _lab.Call(_host.Url, "many", Token);

        Assert.Equal(_lab.Limits.BlocksMax + 1, output.Content.Count);
        Assert.EndsWith(
            "63 [36 more pieces of this result are left out.]", McpLab.Text(output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pictures_beyond_what_a_request_carries_are_left_out()
    {
        await using var lab = new McpLab(new() { MediaBytesMax = 1_000 });
        _host.Gives("two",
            ImageContentBlock.FromBytes(new byte[900], "image/png"),
            ImageContentBlock.FromBytes(new byte[900], "image/png"));

        var output = await lab.Call(_host.Url, "two", Token);

        Assert.Single(output.Media);
        Assert.Contains("together at most 1000 bytes", McpLab.Text(output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_that_are_no_base64_are_said_to_be_none()
    {
        _host.Gives("odd", new ImageContentBlock { Data = Encoding.UTF8.GetBytes("!!"), MimeType = "image/png" });

        var output = await _lab.Call(_host.Url, "odd", Token);

        Assert.Empty(output.Media);
        Assert.Equal("[A piece of type image/png, whose bytes are no base64.]", McpLab.Text(output));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("5")]
    public async Task An_input_that_is_no_object_is_not_sent(string input)
    {
        _host.Says("one", "1");

        ToolOutput output = await _lab.Call(_host.Url, "one", Token, input);

        Assert.True(output.IsError);
        Assert.Equal("one: the input must be a JSON object.", McpLab.Text(output));
        Assert.Empty(_host.Calls);
    }
}
