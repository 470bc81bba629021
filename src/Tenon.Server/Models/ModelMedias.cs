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

    /// <summary>The request as the model of a route can see it: a sentence stands for what it cannot.</summary>
    public static ModelRequest Seen(ModelRequest request, ModelRoute route)
    {
        if (route is { SeesImages: true, SeesDocuments: true })
        {
            return request;
        }

        return request with
        {
            Messages = [.. request.Messages.Select(message =>
                message with { Content = [.. message.Content.Select(Content)] })],
        };

        ModelContent Content(ModelContent content) => content switch
        {
            ModelMedia media when Note(media.Block) is { } note => new ModelText(note),
            ModelToolResult result => result with
            {
                Content = [.. result.Content.Select(block => Note(block) is { } note ? ContentBlock.Of(note) : block)],
            },
            _ => content,
        };

        string? Note(ContentBlock block) => block switch
        {
            ImageBlock when !route.SeesImages =>
                "[There is a picture here, which you cannot see. Look into its file with tools, or ask the user.]",
            DocumentBlock { Source.Type: not "text" } when !route.SeesDocuments =>
                "[There is a document here, which you cannot see. Read its text with tools, such as pdftotext.]",
            _ => null,
        };
    }

    private static MediaSource? Source(ContentBlock block) => block switch
    {
        ImageBlock image => image.Source,
        DocumentBlock document => document.Source,
        _ => null,
    };
}
