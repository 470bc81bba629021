using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Tenon.Server.Files;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Content;
using Tenon.Wire.Files;
using Tenon.Wire.Hand;

namespace Tenon.Server.Tools;

/// <summary>
/// Pictures and PDFs that a tool shows the model: each becomes a file of the session that no list shows, and the log
/// names it. An entry stays small whatever was read, and so do its streams and all that holds entries in memory.
/// </summary>
/// <remarks>
/// The file's id is made of its bytes: what is read twice, or again after a crash, is one file, and a request to the
/// model has the same words each time.
/// </remarks>
public sealed class ShownMedia(FileStore files, IBlobStore blobs, IdSource ids, TimeProvider clock)
{
    /// <summary>Files of one session, so that an agent that reads without end cannot fill the disk.</summary>
    private const int FilesMax = 1_000;

    /// <summary>All of one session's; a hundred times what one request to a model carries.</summary>
    private const long BytesMax = 2L * 1024 * 1024 * 1024;

    /// <summary>What stands for the bytes in a tool's answer: the file, or a sentence when there is none.</summary>
    public async Task<ContentBlock> Keep(string sessionId, ToolMedia media, CancellationToken cancellationToken)
    {
        var type = Picture.Of(media.Bytes) is { IsWhole: true } picture ? picture.MediaType
            : media.Bytes.AsSpan().StartsWith("%PDF-"u8) ? HandMedia.Pdf : null;
        if (type is null)
        {
            return ContentBlock.Of("[What was read is no picture that can be shown.]");
        }

        var id = IdSource.Of(
            IdPrefix.File, SHA256.HashData([.. Encoding.UTF8.GetBytes(sessionId), 0, .. media.Bytes]));
        try
        {
            if (await files.Find(id, cancellationToken) is null
                && await Insert(sessionId, id, type, media, cancellationToken) is { } reason)
            {
                return ContentBlock.Of(reason);
            }
        }
        catch (Exception exception) when (exception is BlobsAwayException or IOException)
        {
            // The call has run; what it shows is the model's to ask for again.
            return ContentBlock.Of($"[The picture could not be kept, and so not be shown: {exception.Message}]");
        }

        var source = new MediaSource { Type = "file", FileId = id };
        return type == HandMedia.Pdf
            ? new DocumentBlock { Source = source, Title = FileRules.Cleaned(media.Name) }
            : new ImageBlock { Source = source };
    }

    /// <summary>Null when it is done; else why not.</summary>
    private async Task<string?> Insert(
        string sessionId, string id, string type, ToolMedia media, CancellationToken cancellationToken)
    {
        var shown = await files.ListUnlisted(sessionId, cancellationToken);
        if (shown.Count >= FilesMax || shown.Sum(file => file.SizeBytes) + media.Bytes.Length > BytesMax)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"[This session has been shown {shown.Count} pictures and documents, and that is as many as one may. ")
                + "Look into the file with bash instead.]";
        }

        // A name of its own: the same picture may be read twice at the same time.
        var name = ids.Next(IdPrefix.File);
        await using var blob = blobs.Begin(name);
        await blob.Stream.WriteAsync(media.Bytes, cancellationToken);
        await files.InsertUnlisted(new FileRecord
        {
            Id = id,
            Filename = FileRules.Cleaned(media.Name),
            MimeType = type,
            SizeBytes = media.Bytes.Length,
            CreatedAt = clock.GetUtcNow(),
            Downloadable = true,
            Scope = new FileScope { Id = sessionId },
        }, name, blob, cancellationToken);
        return null;
    }
}

/// <summary>Gives what a tool shows its place, and says what stands for it in the answer.</summary>
public delegate Task<ContentBlock> KeepMedia(
    string sessionId, ToolMedia media, CancellationToken cancellationToken);
