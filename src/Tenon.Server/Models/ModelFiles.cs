using System.Runtime.CompilerServices;
using System.Text;
using Tenon.Server.Files;
using Tenon.Server.Storage;
using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>
/// Puts the bytes of files into a request where it names them, for whatever model is asked: the log keeps the ids, and
/// providers get base64 and text.
/// </summary>
/// <remarks>
/// A file that is gone, or that no longer fits, becomes a sentence that says so: a conversation never ends because of
/// one of its files.
/// </remarks>
public sealed class ModelFiles(IModel inner, FileStore files, IBlobStore blobs, TimeProvider clock) : IModel
{
    public async IAsyncEnumerable<ModelChunk> Stream(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ModelRequest? filled = null;
        string? problem = null;
        try
        {
            filled = await Fill(request, cancellationToken);
        }
        catch (BlobsAwayException exception)
        {
            // As when the model itself is away: the turn tries again.
            problem = exception.Message;
        }

        await foreach (var chunk in filled is null
            ? ServiceStream.Failed(ModelFaultKind.Unavailable, problem!) : inner.Stream(filled, cancellationToken))
        {
            yield return chunk;
        }
    }

    public int ContextWindow(string model) => inner.ContextWindow(model);

    public IReadOnlyList<string> Fallbacks(string model) => inner.Fallbacks(model);

    private async Task<ModelRequest> Fill(ModelRequest request, CancellationToken cancellationToken)
    {
        var ids = ModelMedias.Blocks(request).Select(ModelMedias.FileId).OfType<string>().ToList();
        if (ids.Count == 0)
        {
            return request;
        }

        var shown = new Dictionary<string, Func<ContentBlock, ContentBlock>>();
        var bytesLeft = MediaLimits.RequestBytesMax;
        var images = ModelMedias.Blocks(request).Count(block => block is ImageBlock);
        var imagesLeft = MediaLimits.RequestImagesMax
            - ModelMedias.Blocks(request).Count(block => block is ImageBlock && ModelMedias.FileId(block) is null);
        var found = (await files.Find(ids.ToHashSet(), cancellationToken)).ToDictionary(file => file.Record.Id);

        // The newest come first: when not all of them fit, the conversation is about those.
        foreach (var id in Enumerable.Reverse(ids).Distinct())
        {
            var uses = ids.Count(other => other == id);
            var size = uses * (found.GetValueOrDefault(id)?.Record.SizeBytes ?? 0);
            if (size > bytesLeft)
            {
                shown[id] = _ => ContentBlock.Of($"[The file {id} that stood here is left out: the files of one "
                    + $"request have together at most {MediaLimits.RequestBytesMax} bytes.]");
                continue;
            }

            bytesLeft -= size;
            var (source, picture) = await Load(found.GetValueOrDefault(id), cancellationToken);
            if (picture is not null && TooMany(picture, images, ref imagesLeft, uses) is { } reason)
            {
                shown[id] = _ => ContentBlock.Of($"[The file {id} that stood here is left out: {reason}]");
                continue;
            }

            shown[id] = source is not null
                ? block => Show(block, source)
                : _ => ContentBlock.Of($"[The file {id} that stood here is gone: it was deleted or has expired.]");
        }

        return request with
        {
            Messages = [.. request.Messages.Select(message =>
                message with { Content = [.. message.Content.Select(content => Fill(content, shown))] })],
        };
    }

    /// <summary>Why a picture cannot stand beside so many others; null when it can.</summary>
    private static string? TooMany(Picture picture, int images, ref int imagesLeft, int uses)
    {
        imagesLeft -= uses;
        return imagesLeft < 0 ? $"one request has at most {MediaLimits.RequestImagesMax} pictures."
            : images > MediaLimits.LargeImagesMax
                && Math.Max(picture.Width, picture.Height) > MediaLimits.ManySideMax
                ? $"of more than {MediaLimits.LargeImagesMax} pictures in one request, none has more than "
                    + $"{MediaLimits.ManySideMax} pixels a side."
            : null;
    }

    private static ModelContent Fill(
        ModelContent content, Dictionary<string, Func<ContentBlock, ContentBlock>> shown)
    {
        return content switch
        {
            ModelMedia media => Filled(media.Block) is TextBlock text ? new ModelText(text.Text)
                : media with { Block = Filled(media.Block) },
            ModelToolResult result => result with { Content = [.. result.Content.Select(Filled)] },
            _ => content,
        };

        ContentBlock Filled(ContentBlock block) =>
            ModelMedias.FileId(block) is { } id ? shown[id](block) : block;
    }

    private static ContentBlock Show(ContentBlock block, MediaSource source) => block switch
    {
        ImageBlock image => image with { Source = source },
        DocumentBlock document => document with { Source = source },
        _ => block,
    };

    /// <summary>The file as a source that every provider takes, and what picture it is, if it is one; null when there
    /// is none to be had.</summary>
    private async Task<(MediaSource? Source, Picture? Picture)> Load(
        StoredFile? file, CancellationToken cancellationToken)
    {
        if (file is null || FileRules.IsExpired(file.Record, clock.GetUtcNow())
            || await Read(file, cancellationToken) is not { } bytes)
        {
            return (null, null);
        }

        return MediaLimits.KindOf(file.Record.MimeType) == MediaKind.Text
            ? (new MediaSource { Type = "text", MediaType = "text/plain", Data = Text(bytes) }, null)
            : (new MediaSource
            {
                Type = "base64", MediaType = file.Record.MimeType, Data = Convert.ToBase64String(bytes),
            }, Picture.Of(bytes));
    }

    private async Task<byte[]?> Read(StoredFile file, CancellationToken cancellationToken)
    {
        await using var content = await blobs.Open(file.Blob, cancellationToken);
        if (content is null)
        {
            return null;
        }

        var bytes = new byte[file.Record.SizeBytes];
        await content.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(
        bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes.AsSpan(Encoding.UTF8.Preamble.Length) : bytes);
}
