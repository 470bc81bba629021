using System.Globalization;
using ModelContextProtocol.Protocol;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web;
using Tenon.Wire.Content;
using Block = Tenon.Wire.Content.ContentBlock;

namespace Tenon.Server.Mcp;

/// <summary>A server's result as the model reads it. What cannot be shown becomes a sentence that says so.</summary>
internal static class McpResults
{
    /// <summary>Characters of a name, a title or a URI that stands beside a content.</summary>
    private const int LabelCharsMax = 500;

    public static ToolOutput Of(CallToolResult result, McpLimits limits)
    {
        var blocks = new List<Block>();
        var media = new List<ToolMedia>();
        var bytesLeft = limits.MediaBytesMax;
        foreach (var content in result.Content.Take(limits.BlocksMax))
        {
            var (block, shown) = Shown(content);
            if (shown is not null && shown.Bytes.Length <= bytesLeft)
            {
                bytesLeft -= shown.Bytes.Length;
                media.Add(shown with { Before = blocks.Count });
                continue;
            }

            blocks.Add(block ?? Block.Of("[A picture or document is left out: those of one result have together at "
                + $"most {limits.MediaBytesMax} bytes.]"));
        }

        if (result.Content.Count > limits.BlocksMax)
        {
            blocks.Add(Block.Of(string.Create(CultureInfo.InvariantCulture,
                $"[{result.Content.Count - limits.BlocksMax} more pieces of this result are left out.]")));
        }

        // A server that structures its result says the same in text; one that does not has only this.
        if (blocks.Count + media.Count == 0)
        {
            blocks.Add(Block.Of(result.StructuredContent?.GetRawText() ?? "(no output)"));
        }

        return new ToolOutput(blocks, result.IsError == true) { Media = media };
    }

    /// <summary>A block, or bytes that have no place yet.</summary>
    private static (Block? Block, ToolMedia? Media) Shown(ModelContextProtocol.Protocol.ContentBlock content) =>
        content switch
        {
            ImageContentBlock image => Media("image", image.MimeType, () => image.DecodedData),
            EmbeddedResourceBlock { Resource: BlobResourceContents blob } =>
                Media(Label(blob.Uri), blob.MimeType, () => blob.DecodedData),
            _ => (Text(content), null),
        };

    private static Block Text(ModelContextProtocol.Protocol.ContentBlock content) => content switch
    {
        TextContentBlock text => Block.Of(text.Text ?? ""),
        AudioContentBlock audio => Block.Of($"[A sound of type {Label(audio.MimeType)}, which cannot be shown.]"),
        EmbeddedResourceBlock { Resource: TextResourceContents text } => new DocumentBlock
        {
            Source = new MediaSource { Type = "text", MediaType = "text/plain", Data = text.Text ?? "" },
            Title = Label(text.Uri),
        },
        ResourceLinkBlock link => Block.Of(
            $"[A resource of this server: {Label(link.Title ?? link.Name)}, {Label(link.Uri)}"
            + (link.Description is { Length: > 0 } description ? $": {Label(description)}" : "") + "]"),
        _ => Block.Of($"[A piece of type {Label(content.Type)}, which cannot be shown.]"),
    };

    private static (Block? Block, ToolMedia? Media) Media(
        string name, string? type, Func<ReadOnlyMemory<byte>> bytes)
    {
        try
        {
            return (null, new ToolMedia(0, name, bytes().ToArray()));
        }
        catch (FormatException)
        {
            // The server says that it is base64.
            return (Block.Of($"[A piece of type {Label(type)}, whose bytes are no base64.]"), null);
        }
    }

    private static string Label(string? text) =>
        string.IsNullOrEmpty(text) ? "unknown" : TextCut.At(text, LabelCharsMax);
}
