using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>The images and documents of a request, in messages and in tool results.</summary>
internal static class ModelMedias
{
    public const string FileNotSupported =
        "An image or a document with a source of type \"file\" came to a model without its bytes.";

    public static IEnumerable<MediaSource> Of(ModelRequest request) =>
        Blocks(request).Select(Source).OfType<MediaSource>();

    public static IEnumerable<ContentBlock> Blocks(ModelRequest request) =>
        request.Messages.SelectMany(message => message.Content).SelectMany(content => content switch
        {
            ModelMedia media => [media.Block],
            ModelToolResult result => result.Content,
            _ => [],
        });

    /// <summary>The file that an image or a document names; null where the bytes come otherwise.</summary>
    public static string? FileId(ContentBlock block) => Source(block) is { Type: "file", FileId: { } id } ? id : null;

    private static MediaSource? Source(ContentBlock block) => block switch
    {
        ImageBlock image => image.Source,
        DocumentBlock document => document.Source,
        _ => null,
    };
}
