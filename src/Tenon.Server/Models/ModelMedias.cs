using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>The images and documents of a request, in messages and in tool results.</summary>
internal static class ModelMedias
{
    public const string FileNotSupported =
        "An image or a document with a source of type \"file\" cannot be sent to a model yet; "
        + "send it as base64, url or text.";

    public static IEnumerable<MediaSource> Of(ModelRequest request) =>
        Blocks(request).Select(Source).OfType<MediaSource>();

    public static IEnumerable<ContentBlock> Blocks(ModelRequest request) =>
        request.Messages.SelectMany(message => message.Content).SelectMany(content => content switch
        {
            ModelMedia media => [media.Block],
            ModelToolResult result => result.Content,
            _ => [],
        });

    private static MediaSource? Source(ContentBlock block) => block switch
    {
        ImageBlock image => image.Source,
        DocumentBlock document => document.Source,
        _ => null,
    };
}
