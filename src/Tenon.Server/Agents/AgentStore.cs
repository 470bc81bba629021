using Microsoft.EntityFrameworkCore;
using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Agents;

namespace Tenon.Server.Agents;

/// <summary>Agents and their versions. A version never changes once it is written.</summary>
public sealed class AgentStore(IDbContextFactory<TenonContext> contexts)
{
    public async Task Insert(Agent agent, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.Agents.Add(new AgentRow
        {
            Id = agent.Id,
            Version = agent.Version,
            CreatedAt = agent.CreatedAt.ToMicroseconds(),
        });
        context.AgentVersions.Add(ToRow(agent));
        await context.SaveChangesAsync(cancellationToken);
    }

    /// <summary>
    /// A version of an agent, the newest when <paramref name="version"/> is null; null when there is none.
    /// </summary>
    public async Task<Agent?> Find(string id, int? version, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = await (
            from agent in context.Agents
            join row in context.AgentVersions on agent.Id equals row.AgentId
            where agent.Id == id && row.Version == (version ?? agent.Version)
            select new { row.Body, agent.ArchivedAt }).SingleOrDefaultAsync(cancellationToken);
        return found is null ? null : Parse(found.Body, found.ArchivedAt);
    }

    /// <summary>Adds the next version. False when another writer was first.</summary>
    public async Task<bool> Update(Agent next, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var updated = await context.Agents
            .Where(row => row.Id == next.Id && row.Version == next.Version - 1 && row.ArchivedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Version, next.Version), cancellationToken);
        if (updated == 0)
        {
            return false;
        }

        context.AgentVersions.Add(ToRow(next));
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    public async Task Archive(string id, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.Agents
            .Where(row => row.Id == id && row.ArchivedAt == null)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.ArchivedAt, (long?)at.ToMicroseconds()), cancellationToken);
    }

    /// <summary>Newest agents first, each in its newest version; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<Agent>> List(AgentQuery query, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var agents = context.Agents
            .Where(row => query.IncludeArchived || row.ArchivedAt == null)
            .Where(row => query.From == null || row.CreatedAt >= query.From)
            .Where(row => query.To == null || row.CreatedAt <= query.To)
            .Where(row => query.Before == null || string.Compare(row.Id, query.Before) < 0)
            .OrderByDescending(row => row.Id)
            .Take(query.Limit + 1);
        var rows = await (
            from agent in agents
            join row in context.AgentVersions
                on new { agent.Id, agent.Version } equals new { Id = row.AgentId, row.Version }
            orderby agent.Id descending
            select new { row.Body, agent.ArchivedAt }).ToListAsync(cancellationToken);
        return rows.ConvertAll(row => Parse(row.Body, row.ArchivedAt));
    }

    /// <summary>Newest versions first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<Agent>> ListVersions(
        string id, long? before, int limit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var archivedAt = await context.Agents.Where(row => row.Id == id)
            .Select(row => row.ArchivedAt).SingleOrDefaultAsync(cancellationToken);
        var bodies = await context.AgentVersions
            .Where(row => row.AgentId == id && (before == null || row.Version < before))
            .OrderByDescending(row => row.Version)
            .Take(limit + 1)
            .Select(row => row.Body).ToListAsync(cancellationToken);
        return bodies.ConvertAll(body => Parse(body, archivedAt));
    }

    private static AgentVersionRow ToRow(Agent agent) => new()
    {
        AgentId = agent.Id,
        Version = agent.Version,
        Body = JsonSerializer.Serialize(agent, WireJson.Default.Agent),
    };

    private static Agent Parse(string body, long? archivedAt) =>
        JsonSerializer.Deserialize(body, WireJson.Default.Agent)! with
        {
            ArchivedAt = archivedAt is { } at ? Microseconds.FromMicroseconds(at) : null,
        };
}

/// <param name="Before">Only ids below this one.</param>
/// <param name="From">Created at this Unix microsecond or later.</param>
/// <param name="To">Created at this Unix microsecond or earlier.</param>
public sealed record AgentQuery(string? Before, int Limit, bool IncludeArchived, long? From, long? To);
