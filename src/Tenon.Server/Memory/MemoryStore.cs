using Microsoft.EntityFrameworkCore;
using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <summary>
/// Memory stores, their memories, and the versions of these. A change is one transaction that counts the store's
/// revision first: that lets one writer at a time into a store, also of several processes, and tells everybody who
/// holds a copy of a store that it is an old one.
/// </summary>
public sealed partial class MemoryStore(IDbContextFactory<TenonContext> contexts, IdSource ids, TimeProvider clock)
{
    /// <summary>
    /// The memories of a store were changed by this process: gets the store's id, and must not wait. Others are heard
    /// of by their <see cref="Revisions"/>.
    /// </summary>
    public event Action<string>? Changed;

    public async Task Insert(MemoryStoreRecord store, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.MemoryStores.Add(new MemoryStoreRow
        {
            Id = store.Id, CreatedAt = store.CreatedAt.ToMicroseconds(), Revision = 0, Body = Serialize(store),
        });
        await context.SaveChangesAsync(cancellationToken);
    }

    public async Task<MemoryStoreRecord?> Find(string id, CancellationToken cancellationToken) =>
        (await Find([id], cancellationToken)).SingleOrDefault();

    /// <summary>Those that are there.</summary>
    public async Task<IReadOnlyList<MemoryStoreRecord>> Find(
        IReadOnlyCollection<string> storeIds, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.MemoryStores.AsNoTracking().Where(row => storeIds.Contains(row.Id))
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(Parse);
    }

    /// <summary>Newest first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<MemoryStoreRecord>> List(
        MemoryStoreQuery query, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.MemoryStores.AsNoTracking()
            .Where(row => query.IncludeArchived || row.ArchivedAt == null)
            .Where(row => query.Before == null || string.Compare(row.Id, query.Before) < 0)
            .Where(row => query.From == null || row.CreatedAt >= query.From)
            .Where(row => query.To == null || row.CreatedAt <= query.To)
            .OrderByDescending(row => row.Id).Take(query.Limit + 1).ToListAsync(cancellationToken);
        return rows.ConvertAll(Parse);
    }

    /// <summary>Changes the store itself. Null when it is not there.</summary>
    /// <param name="change">The store as it shall be; it may throw, and then nothing is changed.</param>
    public Task<MemoryStoreRecord?> Save(
        string id, Func<MemoryStoreRecord, MemoryStoreRecord> change, CancellationToken cancellationToken) =>
        Write<MemoryStoreRecord?>(id, null, async writing =>
        {
            var next = change(Parse(writing.Store));
            (writing.Store.Body, writing.Store.ArchivedAt) = (Serialize(next), next.ArchivedAt?.ToMicroseconds());
            await writing.Save(cancellationToken);
            return next;
        }, cancellationToken);

    /// <summary>Deletes a store with all that is in it. False when it is not there.</summary>
    public Task<bool> Delete(string id, CancellationToken cancellationToken) => Write(id, false, async writing =>
    {
        var context = writing.Context;
        await context.Memories.Where(row => row.StoreId == id).ExecuteDeleteAsync(cancellationToken);
        await context.MemoryVersions.Where(row => row.StoreId == id).ExecuteDeleteAsync(cancellationToken);
        context.MemoryStores.Remove(writing.Store);
        await writing.Save(cancellationToken);
        return true;
    }, cancellationToken);

    /// <summary>How often each of these stores has changed; those that are gone are left out.</summary>
    public async Task<IReadOnlyDictionary<string, long>> Revisions(
        IReadOnlyCollection<string> storeIds, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.MemoryStores.Where(row => storeIds.Contains(row.Id))
            .ToDictionaryAsync(row => row.Id, row => row.Revision, cancellationToken);
    }

    /// <summary>Writes down that a session, which is not there yet, has these stores.</summary>
    public async Task Attach(
        string sessionId, IEnumerable<string> storeIds, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.SessionMemories.AddRange(
            storeIds.Select(id => new SessionMemoryRow { SessionId = sessionId, StoreId = id }));
        await context.SaveChangesAsync(cancellationToken);
    }

    public async Task Detach(string sessionId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.SessionMemories.Where(row => row.SessionId == sessionId).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>For the start of a server: forgets what sessions had that are no more, or never came to be.</summary>
    public async Task Sweep(CancellationToken cancellationToken)
    {
        await using (var context = await contexts.CreateDbContextAsync(cancellationToken))
        {
            await context.SessionMemories.Where(row => !context.Sessions.Any(session => session.Id == row.SessionId))
                .ExecuteDeleteAsync(cancellationToken);
        }

        await SweepVersions(cancellationToken);
    }

    /// <summary>
    /// Deletes versions that are past their time: all but the newest of a memory that lives, and all of one that is
    /// gone, whose last version says so.
    /// </summary>
    public async Task SweepVersions(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var before = (clock.GetUtcNow() - MemoryLimits.VersionsKept).ToMicroseconds();
        await context.Database.ExecuteSqlAsync(
            $"""
            DELETE FROM memory_version WHERE id IN (
              SELECT id FROM (
                SELECT id, memory_id, created_at, ROW_NUMBER() OVER (PARTITION BY memory_id ORDER BY id DESC) AS age
                FROM memory_version) AS aged
              WHERE created_at < {before} AND (age > {MemoryLimits.VersionsAlwaysKept}
                OR NOT EXISTS (SELECT 1 FROM memory WHERE memory.id = aged.memory_id)))
            """, cancellationToken);
    }

    /// <summary>
    /// Runs a change while nobody else writes to the store. What it has not saved is undone, the count with it.
    /// </summary>
    /// <param name="missing">The answer when the store is not there.</param>
    private async Task<T> Write<T>(
        string storeId, T missing, Func<Writing, Task<T>> change, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var counted = await context.MemoryStores.Where(row => row.Id == storeId).ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Revision, row => row.Revision + 1), cancellationToken);
        if (counted == 0)
        {
            return missing;
        }

        var writing = new Writing(
            context, await context.MemoryStores.SingleAsync(row => row.Id == storeId, cancellationToken));
        var answer = await change(writing);
        if (writing.IsDirty)
        {
            await transaction.CommitAsync(cancellationToken);
            Changed?.Invoke(storeId);
        }

        return answer;
    }

    private static string Serialize(MemoryStoreRecord store) =>
        JsonSerializer.Serialize(store, WireJson.Default.MemoryStoreRecord);

    private static MemoryStoreRecord Parse(MemoryStoreRow row) =>
        JsonSerializer.Deserialize(row.Body, WireJson.Default.MemoryStoreRecord)!;

    /// <summary>A change that is being made.</summary>
    private sealed class Writing(TenonContext context, MemoryStoreRow store)
    {
        public TenonContext Context => context;

        public MemoryStoreRow Store => store;

        /// <summary>Something of it is to stay.</summary>
        public bool IsDirty { get; private set; }

        public Task<int> Save(CancellationToken cancellationToken)
        {
            IsDirty = true;
            return context.SaveChangesAsync(cancellationToken);
        }
    }
}

/// <summary>Which stores to list. Times are Unix microseconds.</summary>
public sealed record MemoryStoreQuery
{
    public required int Limit { get; init; }

    public string? Before { get; init; }

    public long? From { get; init; }

    public long? To { get; init; }

    public bool IncludeArchived { get; init; }
}
