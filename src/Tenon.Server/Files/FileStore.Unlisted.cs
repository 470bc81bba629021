using Microsoft.EntityFrameworkCore;
using Tenon.Wire.Files;

namespace Tenon.Server.Files;

/// <content>Files that the log names and no list shows: what a tool has shown the model.</content>
public sealed partial class FileStore
{
    /// <summary>Those of a session.</summary>
    public async Task<IReadOnlyList<FileRecord>> ListUnlisted(string scopeId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Files.AsNoTracking().Where(row => row.ScopeId == scopeId && row.IsUnlisted)
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(row => Parse(row).Record);
    }

    /// <summary>Keeps the blob and makes it the file, unless the file is there already.</summary>
    public async Task InsertUnlisted(
        FileRecord file, string blobName, NewBlob blob, CancellationToken cancellationToken)
    {
        await blob.Keep(cancellationToken);
        await Alone(async context =>
        {
            if (await context.Files.AnyAsync(row => row.Id == file.Id, cancellationToken))
            {
                blobs.Delete([blobName]);
                return;
            }

            var row = Row(file, blobName);
            row.IsUnlisted = true;
            context.Files.Add(row);
            await context.SaveChangesAsync(cancellationToken);
        }, cancellationToken);
    }
}
