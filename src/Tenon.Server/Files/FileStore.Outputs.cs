using Microsoft.EntityFrameworkCore;
using Tenon.Server.Storage;
using Tenon.Wire.Files;

namespace Tenon.Server.Files;

public sealed partial class FileStore
{
    /// <summary>What was last seen of a session's outputs: a stamp by path.</summary>
    public async Task<IReadOnlyDictionary<string, string>> SeenOutputs(
        string sessionId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Outputs.Where(row => row.SessionId == sessionId)
            .ToDictionaryAsync(row => row.Path, row => row.Stamp, StringComparer.Ordinal, cancellationToken);
    }

    /// <summary>Makes a blob the file of an output, in place of the one that the path had.</summary>
    public async Task InsertOutput(
        OutputRow output, FileRecord file, NewBlob blob, CancellationToken cancellationToken)
    {
        await blob.Keep(cancellationToken);
        await Alone(async context =>
        {
            var seen = await context.Outputs.SingleOrDefaultAsync(
                row => row.SessionId == output.SessionId && row.Path == output.Path, cancellationToken);
            var old = seen is null ? []
                : await context.Files.Where(row => row.Id == seen.FileId).ToListAsync(cancellationToken);
            if (seen is null)
            {
                context.Outputs.Add(output);
            }
            else
            {
                (seen.Stamp, seen.FileId) = (output.Stamp, output.FileId);
            }

            context.Files.RemoveRange(old);
            context.Files.Add(Row(file, file.Id));
            await context.SaveChangesAsync(cancellationToken);
            await DeleteUnused(context, old, cancellationToken);
        }, cancellationToken);
    }

    /// <summary>Forgets outputs that are no longer there, with their files.</summary>
    public Task DeleteOutputs(
        string sessionId, IReadOnlyCollection<string> paths, CancellationToken cancellationToken) =>
        Alone(async context =>
        {
            var seen = await context.Outputs.Where(row => row.SessionId == sessionId && paths.Contains(row.Path))
                .ToListAsync(cancellationToken);
            var ids = seen.Select(row => row.FileId).ToHashSet();
            var old = await context.Files.Where(row => ids.Contains(row.Id)).ToListAsync(cancellationToken);
            context.Outputs.RemoveRange(seen);
            context.Files.RemoveRange(old);
            await context.SaveChangesAsync(cancellationToken);
            await DeleteUnused(context, old, cancellationToken);
        }, cancellationToken);
}
