using Microsoft.EntityFrameworkCore;
using System.Security.Cryptography;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <content>Memories: what is in a store now.</content>
public sealed partial class MemoryStore
{
    public const string Created = "created";
    public const string Modified = "modified";
    public const string Deleted = "deleted";

    /// <summary>Makes a memory at a path where nothing is.</summary>
    public Task<MemoryOutcome> Create(
        string storeId, string path, byte[] content, MemoryActor actor, CancellationToken cancellationToken) =>
        Write<MemoryOutcome>(storeId, new MemoryRefusal.NoStore(), async writing =>
            writing.Store.ArchivedAt is not null ? new MemoryRefusal.Archived()
            : await Add(writing, path, content, actor, cancellationToken), cancellationToken);

    /// <summary>
    /// Changes path or text or both. One that is already as asked for is left alone, whatever was expected of it: the
    /// same request may have come before.
    /// </summary>
    /// <param name="content">The new text; null leaves it.</param>
    /// <param name="path">The new path; null leaves it.</param>
    public Task<MemoryOutcome> Update(
        MemoryPlace place, string? path, byte[]? content, MemoryActor actor, CancellationToken cancellationToken) =>
        Write<MemoryOutcome>(place.StoreId, new MemoryRefusal.NoStore(), async writing =>
        {
            if (writing.Store.ArchivedAt is not null)
            {
                return new MemoryRefusal.Archived();
            }

            if (await Find(writing.Context, place, cancellationToken) is not { } memory)
            {
                return new MemoryRefusal.NoMemory();
            }

            var stored = await Text(writing.Context, memory, cancellationToken);
            var isAsked = path is not null || content is not null;
            if (isAsked && (path ?? memory.Path) == memory.Path && (content is null || content.SequenceEqual(stored)))
            {
                return new MemoryOutcome(new StoredMemory(memory, stored), null);
            }

            if (place.Expected is { } expected && expected != memory.Sha256)
            {
                return new MemoryRefusal.Changed();
            }

            return isAsked
                ? await Change(writing, memory, path ?? memory.Path, content ?? stored, actor, cancellationToken)
                : new MemoryOutcome(new StoredMemory(memory, stored), null);
        }, cancellationToken);

    /// <summary>Deletes a memory; its versions stay. Null when that is done.</summary>
    public Task<MemoryRefusal?> Delete(
        MemoryPlace place, MemoryActor actor, CancellationToken cancellationToken) =>
        Write<MemoryRefusal?>(place.StoreId, new MemoryRefusal.NoStore(), async writing =>
        {
            if (await Find(writing.Context, place, cancellationToken) is not { } memory)
            {
                return new MemoryRefusal.NoMemory();
            }

            if (place.Expected is { } expected && expected != memory.Sha256)
            {
                return new MemoryRefusal.Changed();
            }

            await Remove(writing, memory, actor, cancellationToken);
            return null;
        }, cancellationToken);

    public async Task<StoredMemory?> Find(
        string storeId, string memoryId, bool withContent, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await Find(context, new MemoryPlace(storeId, memoryId), cancellationToken) is not { } memory ? null
            : new StoredMemory(memory, withContent ? await Text(context, memory, cancellationToken) : null);
    }

    /// <summary>
    /// All memories of a store in the order of their paths' bytes, without their texts: there are at most
    /// <see cref="MemoryLimits.MemoriesMax"/>. Null when there is no such store.
    /// </summary>
    public async Task<MemoryHeads?> Heads(string storeId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);

        // The count first: what comes between the two is in the rows, and looked at once more.
        var store = await context.MemoryStores.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Id == storeId, cancellationToken);
        return store is null ? null : new MemoryHeads(store.Revision, await context.Memories.AsNoTracking()
            .Where(row => row.StoreId == storeId).OrderBy(row => row.Path).ToListAsync(cancellationToken));
    }

    /// <summary>The texts of versions, by their ids, one after the other.</summary>
    public async IAsyncEnumerable<(string VersionId, byte[] Content)> Contents(
        IReadOnlyCollection<string> versionIds,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = context.MemoryVersions.AsNoTracking()
            .Where(row => versionIds.Contains(row.Id) && row.Content != null)
            .Select(row => new { row.Id, row.Content }).AsAsyncEnumerable();
        await foreach (var row in found.WithCancellation(cancellationToken))
        {
            yield return (row.Id, row.Content!);
        }
    }

    internal static string Hash(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static Task<MemoryRow?> Find(
        TenonContext context, MemoryPlace place, CancellationToken cancellationToken) =>
        context.Memories.SingleOrDefaultAsync(
            row => row.StoreId == place.StoreId && row.Id == place.MemoryId, cancellationToken);

    private static async Task<byte[]> Text(
        TenonContext context, MemoryRow memory, CancellationToken cancellationToken) =>
        await context.MemoryVersions.Where(row => row.Id == memory.VersionId).Select(row => row.Content)
            .SingleAsync(cancellationToken) ?? [];

    private async Task<MemoryOutcome> Add(
        Writing writing, string path, byte[] content, MemoryActor actor, CancellationToken cancellationToken)
    {
        var context = writing.Context;
        var storeId = writing.Store.Id;
        if (await Conflict(context, storeId, path, null, cancellationToken) is { } taken)
        {
            return taken;
        }

        if (await context.Memories.CountAsync(row => row.StoreId == storeId, cancellationToken)
            >= MemoryLimits.MemoriesMax)
        {
            return new MemoryRefusal.Full();
        }

        var now = clock.GetUtcNow().ToMicroseconds();
        var memory = new MemoryRow
        {
            Id = ids.Next(IdPrefix.Memory), StoreId = storeId, Path = path, VersionId = "",
            Size = content.Length, Sha256 = Hash(content), CreatedAt = now, UpdatedAt = now,
        };
        context.Memories.Add(memory);
        await Record(writing, memory, Created, content, actor, cancellationToken);
        return new MemoryOutcome(new StoredMemory(memory, content), null);
    }

    private async Task<MemoryOutcome> Change(
        Writing writing, MemoryRow memory, string path, byte[] content, MemoryActor actor,
        CancellationToken cancellationToken)
    {
        if (path != memory.Path
            && await Conflict(writing.Context, memory.StoreId, path, memory.Id, cancellationToken) is { } taken)
        {
            return taken;
        }

        (memory.Path, memory.Size, memory.Sha256) = (path, content.Length, Hash(content));
        memory.UpdatedAt = clock.GetUtcNow().ToMicroseconds();
        await Record(writing, memory, Modified, content, actor, cancellationToken);
        return new MemoryOutcome(new StoredMemory(memory, content), null);
    }

    private async Task Remove(
        Writing writing, MemoryRow memory, MemoryActor actor, CancellationToken cancellationToken)
    {
        writing.Context.Memories.Remove(memory);
        await Record(writing, memory, Deleted, null, actor, cancellationToken);
    }

    private async Task Record(
        Writing writing, MemoryRow memory, string operation, byte[]? content, MemoryActor actor,
        CancellationToken cancellationToken)
    {
        var (type, id) = Parts(actor);
        var version = new MemoryVersionRow
        {
            Id = ids.Next(IdPrefix.MemoryVersion), StoreId = memory.StoreId, MemoryId = memory.Id,
            Operation = operation, CreatedAt = clock.GetUtcNow().ToMicroseconds(), ActorType = type, ActorId = id,
            Path = memory.Path, Content = content, Size = content?.Length,
            Sha256 = content is null ? null : memory.Sha256,
        };
        writing.Context.MemoryVersions.Add(version);
        memory.VersionId = version.Id;
        await writing.Save(cancellationToken);
    }

    /// <summary>The memory that has this path, or one that leads to it or lies below it.</summary>
    private static async Task<MemoryRefusal.Taken?> Conflict(
        TenonContext context, string storeId, string path, string? exceptId, CancellationToken cancellationToken)
    {
        var leading = new List<string> { path };
        for (var at = path.LastIndexOf('/'); at > 0; at = path.LastIndexOf('/', at - 1))
        {
            leading.Add(path[..at]);
        }

        // What lies below begins with a slash more; '0' is the character after it.
        var (below, beyond) = (path + "/", path + "0");
        var found = await context.Memories.AsNoTracking()
            .Where(row => row.StoreId == storeId && row.Id != exceptId && (leading.Contains(row.Path)
                || (string.Compare(row.Path, below) > 0 && string.Compare(row.Path, beyond) < 0)))
            .OrderBy(row => row.Path == path ? 0 : 1).ThenBy(row => row.Path)
            .FirstOrDefaultAsync(cancellationToken);
        return found is null ? null : new MemoryRefusal.Taken(found.Id, found.Path);
    }
}

/// <summary>A memory that is to be changed.</summary>
/// <param name="Expected">The hash that its text must have; null for any.</param>
public sealed record MemoryPlace(string StoreId, string MemoryId, string? Expected = null);

/// <summary>What is in a store.</summary>
/// <param name="Revision">As of when; what is newer may be among the rows.</param>
public sealed record MemoryHeads(long Revision, IReadOnlyList<MemoryRow> Rows);
