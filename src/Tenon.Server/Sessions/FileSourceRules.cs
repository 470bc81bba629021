using Tenon.Server.Files;
using Tenon.Server.Http;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Files;

namespace Tenon.Server.Sessions;

/// <summary>
/// Images and documents that name a file (api B.12): the file must be there, and of a kind and size that a model can be
/// shown. It is read each time the model is asked, and may be gone by then.
/// </summary>
public sealed class FileSourceRules(FileStore files, IBlobStore blobs, TimeProvider clock)
{
    /// <summary>The documented number for a session's initial events, used for every batch.</summary>
    private const int SourcesMax = 100;

    /// <exception cref="ApiException">400 with the place of the source.</exception>
    public async Task Check(string path, IReadOnlyList<SessionEvent> events, CancellationToken cancellationToken)
    {
        var named = events.SelectMany((@event, i) => Content(@event).Select((block, j) =>
            (Path: $"{path}.{i}.content.{j}.source.file_id", Block: block, Id: FileId(block))))
            .Where(source => source.Id is not null).ToList();
        if (named.Count > SourcesMax)
        {
            throw ApiException.Invalid(path, $"at most {SourcesMax} images and documents can name a file.");
        }

        if (named.Count == 0)
        {
            return;
        }

        var found = (await files.Find(named.Select(source => source.Id!).ToHashSet(), cancellationToken))
            .ToDictionary(file => file.Record.Id);
        foreach (var (where, block, id) in named)
        {
            await Check(where, block, found.GetValueOrDefault(id!)
                ?? throw ApiException.Invalid(where, $"file '{id}' was not found."), cancellationToken);
        }
    }

    private async Task Check(string path, ContentBlock block, StoredFile stored, CancellationToken cancellationToken)
    {
        var file = stored.Record;
        if (FileRules.IsExpired(file, clock.GetUtcNow()))
        {
            throw ApiException.Invalid(path, $"file '{file.Id}' has expired.");
        }

        var kind = MediaLimits.KindOf(file.MimeType);
        if ((block is ImageBlock) != (kind == MediaKind.Image) || kind == MediaKind.Other)
        {
            throw ApiException.Invalid(path, $"file '{file.Id}' has the type {file.MimeType}; "
                + "an image is a PNG, JPEG, GIF or WebP, and a document is a PDF or a text.");
        }

        if (file.SizeBytes > MediaLimits.BytesMax(kind))
        {
            throw ApiException.Invalid(path,
                $"file '{file.Id}' has {file.SizeBytes} bytes; a model is shown at most {MediaLimits.BytesMax(kind)}.");
        }

        if (!await MediaLimits.IsWhatItSays(stored, blobs, cancellationToken))
        {
            throw ApiException.Invalid(path, $"file '{file.Id}' is not the {file.MimeType} that it was uploaded as.");
        }
    }

    private static IReadOnlyList<ContentBlock> Content(SessionEvent @event) => @event switch
    {
        UserMessage message => message.Content,
        UserCustomToolResult result => result.Content ?? [],
        _ => [],
    };

    private static string? FileId(ContentBlock block) => block switch
    {
        ImageBlock { Source: { Type: "file" } source } => source.FileId,
        DocumentBlock { Source: { Type: "file" } source } => source.FileId,
        _ => null,
    };
}
