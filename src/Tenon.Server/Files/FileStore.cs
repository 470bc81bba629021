using Microsoft.EntityFrameworkCore;
using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Files;

namespace Tenon.Server.Files;

/// <summary>Files. A row says what a file is; its bytes are a blob, which several rows may share.</summary>
/// <remarks>
/// The blob is there before its row, and goes after it: a crash leaves a stray blob, never a file without bytes.
/// Copies and deletions take turns, so that nobody shares a blob while another finds it unused.
/// </remarks>
public sealed partial class FileStore(IDbContextFactory<TenonContext> contexts, IBlobStore blobs, TimeProvider clock)
    : IDisposable
{
    /// <summary>How long an expired file's metadata can still be read (docs: file expiration).</summary>
    private static readonly TimeSpan ExpiredKept = TimeSpan.FromDays(30);

    private readonly SemaphoreSlim _changes = new(1, 1);

    public void Dispose() => _changes.Dispose();

    /// <summary>Keeps the blob and makes it a file.</summary>
    public async Task Insert(FileRecord file, NewBlob blob, CancellationToken cancellationToken)
    {
        await blob.Keep(cancellationToken);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            context.Files.Add(Row(file, file.Id));
            await context.SaveChangesAsync(cancellationToken);
        }
        catch
        {
            // Whatever went wrong, there is no file of it.
            blobs.Delete([file.Id]);
            throw;
        }
    }

    public async Task<StoredFile?> Find(string id, CancellationToken cancellationToken) =>
        (await Find([id], cancellationToken)).SingleOrDefault();

    /// <summary>Those that are there, newest first.</summary>
    public async Task<IReadOnlyList<StoredFile>> Find(
        IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Files.AsNoTracking().Where(row => ids.Contains(row.Id))
            .OrderByDescending(row => row.Id).ToListAsync(cancellationToken);
        return rows.ConvertAll(Parse);
    }

    /// <summary>Newest first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<FileRecord>> List(FileQuery query, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = context.Files.AsNoTracking()
            .Where(row => !row.IsUnlisted && (query.ScopeId == null || row.ScopeId == query.ScopeId));
        rows = query switch
        {
            { OlderThan: { } id } => rows.Where(row => string.Compare(row.Id, id) < 0).OrderByDescending(row => row.Id),
            { NewerThan: { } id } => rows.Where(row => string.Compare(row.Id, id) > 0).OrderBy(row => row.Id),
            _ => rows.OrderByDescending(row => row.Id),
        };
        var found = await rows.Take(query.Limit + 1).ToListAsync(cancellationToken);
        return found.ConvertAll(row => Parse(row).Record);
    }

    /// <summary>
    /// Gives a session files of its own that share the bytes of others, all or none. Of a copy only id, scope and time
    /// of creation are its own.
    /// </summary>
    /// <returns>False when one of the originals is no longer there; then nothing was made.</returns>
    public async Task<bool> Copy(
        IReadOnlyList<(string FromId, FileRecord Copy)> copies, CancellationToken cancellationToken)
    {
        var done = false;
        await Alone(async context =>
        {
            var from = copies.Select(copy => copy.FromId).ToHashSet();
            var blobOf = await context.Files.Where(row => from.Contains(row.Id))
                .ToDictionaryAsync(row => row.Id, row => row.Blob, cancellationToken);
            if (blobOf.Count == from.Count)
            {
                context.Files.AddRange(copies.Select(copy => Row(copy.Copy, blobOf[copy.FromId])));
                await context.SaveChangesAsync(cancellationToken);
                done = true;
            }
        }, cancellationToken);
        return done;
    }

    public async Task<bool> Delete(string id, CancellationToken cancellationToken) =>
        await Delete(rows => rows.Where(row => row.Id == id), cancellationToken) > 0;

    /// <summary>Deletes those of the ids that are there.</summary>
    public Task DeleteAll(IReadOnlyCollection<string> ids, CancellationToken cancellationToken) =>
        Delete(rows => rows.Where(row => ids.Contains(row.Id)), cancellationToken);

    /// <summary>Deletes what belongs to a session.</summary>
    public async Task DeleteScope(string scopeId, CancellationToken cancellationToken)
    {
        await Delete(rows => rows.Where(row => row.ScopeId == scopeId), cancellationToken);
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.Outputs.Where(row => row.SessionId == scopeId).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>
    /// For the start of a server: removes files of sessions that are no more, and blobs without a row, which crashes
    /// leave; and what has expired.
    /// </summary>
    public async Task Sweep(CancellationToken cancellationToken)
    {
        await using (var context = await contexts.CreateDbContextAsync(cancellationToken))
        {
            var scopes = context.Files.Where(
                row => row.ScopeId != null && !context.Sessions.Any(session => session.Id == row.ScopeId));
            if (await scopes.Select(row => row.Id).ToListAsync(cancellationToken) is { Count: > 0 } orphans)
            {
                await DeleteAll(orphans, cancellationToken);
            }

            await context.Outputs.Where(row => !context.Sessions.Any(session => session.Id == row.SessionId))
                .ExecuteDeleteAsync(cancellationToken);
            var names = await context.Files.Select(row => row.Blob)
                .Concat(context.SkillVersions.Select(row => row.Id)).ToListAsync(cancellationToken);
            blobs.DeleteStrays(names.ToHashSet());
        }

        await SweepExpired(cancellationToken);
    }

    /// <summary>Deletes the bytes of what has expired, and after a month its metadata.</summary>
    public async Task SweepExpired(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var (expired, forgotten) = (now.ToMicroseconds(), (now - ExpiredKept).ToMicroseconds());
        await Delete(rows => rows.Where(row => row.ExpiresAt <= forgotten), cancellationToken);
        await Alone(async context =>
        {
            // A copy expires with its original, so no file that lives has the blob of one that does not.
            var dead = context.Files.Where(row => row.ExpiresAt <= expired).Select(row => row.Blob).Distinct();
            blobs.Delete(await dead.ToListAsync(cancellationToken));
        }, cancellationToken);
    }

    private async Task<int> Delete(
        Func<IQueryable<FileRow>, IQueryable<FileRow>> which, CancellationToken cancellationToken)
    {
        var count = 0;
        await Alone(async context =>
        {
            var rows = await which(context.Files).ToListAsync(cancellationToken);
            context.Files.RemoveRange(rows);
            count = await context.SaveChangesAsync(cancellationToken);
            await DeleteUnused(context, rows, cancellationToken);
        }, cancellationToken);
        return count;
    }

    /// <summary>Deletes the blobs of deleted rows, unless other rows have them too.</summary>
    private async Task DeleteUnused(
        TenonContext context, IReadOnlyList<FileRow> deleted, CancellationToken cancellationToken)
    {
        var names = deleted.Select(row => row.Blob).ToHashSet();
        var used = await context.Files.Where(row => names.Contains(row.Blob)).Select(row => row.Blob)
            .ToListAsync(cancellationToken);
        if (names.Except(used).ToList() is { Count: > 0 } unused)
        {
            blobs.Delete(unused);
        }
    }

    private async Task Alone(Func<TenonContext, Task> change, CancellationToken cancellationToken)
    {
        await _changes.WaitAsync(cancellationToken);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            await change(context);
        }
        finally
        {
            _changes.Release();
        }
    }

    private static FileRow Row(FileRecord file, string blob) => new()
    {
        Id = file.Id,
        ScopeId = file.Scope?.Id,
        Blob = blob,
        ExpiresAt = file.ExpiresAt?.ToMicroseconds(),
        Body = JsonSerializer.Serialize(file, WireJson.Default.FileRecord),
    };

    private static StoredFile Parse(FileRow row) =>
        new(JsonSerializer.Deserialize(row.Body, WireJson.Default.FileRecord)!, row.Blob);
}

/// <summary>A file, and the name of its bytes in the <see cref="IBlobStore"/>.</summary>
public sealed record StoredFile(FileRecord Record, string Blob);

/// <summary>Which files to list. Of the two places at most one is given.</summary>
public sealed record FileQuery
{
    public required int Limit { get; init; }

    public string? ScopeId { get; init; }

    public string? OlderThan { get; init; }

    /// <summary>The page just before this file: the oldest come first, for the caller to turn round.</summary>
    public string? NewerThan { get; init; }
}
