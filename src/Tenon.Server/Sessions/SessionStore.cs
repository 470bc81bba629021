using Microsoft.EntityFrameworkCore;
using Tenon.Server.Harness;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <summary>Reads sessions. They are written with their log, in the log's own transactions.</summary>
public sealed class SessionStore(IDbContextFactory<TenonContext> contexts)
{
    public async Task<SessionRecord?> Find(string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var row = await context.Sessions.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Id == id && row.Status != SessionStatus.Deleted, cancellationToken);
        return row is null ? null : SessionRecord.From(row);
    }

    /// <summary>In the query's order; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<SessionRecord>> List(SessionQuery query, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = context.Sessions.AsNoTracking()
            .Where(row => row.Status != SessionStatus.Deleted)
            .Where(row => query.IncludeArchived || row.ArchivedAt == null)
            .Where(row => query.AgentId == null || row.AgentId == query.AgentId)
            .Where(row => query.MemoryStoreId == null || context.SessionMemories.Any(
                memory => memory.SessionId == row.Id && memory.StoreId == query.MemoryStoreId))
            .Where(row => query.AgentVersion == null || row.AgentVersion == query.AgentVersion)
            .Where(row => query.From == null || row.CreatedAt >= query.From)
            .Where(row => query.To == null || row.CreatedAt <= query.To);
        if (query.Statuses.Count > 0)
        {
            rows = rows.Where(row => query.Statuses.Contains(row.Status));
        }

        rows = (query.Descending, query.After) switch
        {
            (true, null) => rows.OrderByDescending(row => row.Id),
            (false, null) => rows.OrderBy(row => row.Id),
            (true, { } after) => rows.Where(row => string.Compare(row.Id, after) < 0).OrderByDescending(row => row.Id),
            (false, { } after) => rows.Where(row => string.Compare(row.Id, after) > 0).OrderBy(row => row.Id),
        };
        return (await rows.Take(query.Limit + 1).ToListAsync(cancellationToken)).ConvertAll(SessionRecord.From);
    }

    /// <summary>The threads of a session that has more than one, as they began; none for one that has not.</summary>
    public async Task<IReadOnlyList<ThreadRecord>> ListThreads(
        string sessionId, string? after, int limit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return (await context.Threads.AsNoTracking()
            .Where(row => row.Session == sessionId && (after == null || string.Compare(row.Id, after) > 0))
            .OrderBy(row => row.Id).Take(limit).ToListAsync(cancellationToken)).ConvertAll(ThreadRecord.From);
    }

    /// <summary>A thread of a session that has more than one; null for any other.</summary>
    public async Task<ThreadRecord?> FindThread(
        string sessionId, string threadId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var row = await context.Threads.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Session == sessionId && row.Id == threadId, cancellationToken);
        return row is null ? null : ThreadRecord.From(row);
    }

    /// <summary>Sessions that the log leaves at work: they are woken at start.</summary>
    public async Task<IReadOnlyList<string>> ListUnfinished(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Sessions
            .Where(row => row.Status == SessionStatus.Running || row.Status == SessionStatus.Rescheduling)
            .Select(row => row.Id).ToListAsync(cancellationToken);
    }

    public async Task<bool> Exists(string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Sessions
            .AnyAsync(row => row.Id == id && row.Status != SessionStatus.Deleted, cancellationToken);
    }

    /// <summary>
    /// Removes what is left of deleted sessions: the row and the last entry, kept so that streams could see it.
    /// </summary>
    public async Task SweepDeleted(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var deleted = context.Sessions.Where(row => row.Status == SessionStatus.Deleted);
        await context.Set<LogRow>().Where(entry => deleted.Any(row => row.Id == entry.Session))
            .ExecuteDeleteAsync(cancellationToken);
        await context.Threads.Where(thread => deleted.Any(row => row.Id == thread.Session))
            .ExecuteDeleteAsync(cancellationToken);
        await deleted.ExecuteDeleteAsync(cancellationToken);
    }
}

/// <summary>Which sessions to list.</summary>
public sealed record SessionQuery
{
    public bool Descending { get; init; }

    /// <summary>Only what follows this id in the order.</summary>
    public string? After { get; init; }

    public required int Limit { get; init; }

    public bool IncludeArchived { get; init; }

    public string? AgentId { get; init; }

    public int? AgentVersion { get; init; }

    public string? MemoryStoreId { get; init; }

    public long? From { get; init; }

    public long? To { get; init; }

    public IReadOnlyList<string> Statuses { get; init; } = [];
}
