using Microsoft.EntityFrameworkCore;
using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Environments;

namespace Tenon.Server.Environments;

/// <summary>Environments. They have no versions: the last write counts.</summary>
public sealed class EnvironmentStore(IDbContextFactory<TenonContext> contexts, IDatabase database)
{
    /// <summary>An environment was changed or deleted, by this process. Others hear it from the database.</summary>
    public event Func<CancellationToken, Task>? Changed;

    public async Task Insert(EnvironmentRecord environment, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.Environments.Add(new EnvironmentRow
        {
            Id = environment.Id,
            CreatedAt = environment.CreatedAt.ToMicroseconds(),
            Body = Serialize(environment),
        });
        await context.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Inserts it unless one with its id is there: two requests may both find it missing.</summary>
    public async Task InsertIfMissing(EnvironmentRecord environment, CancellationToken cancellationToken)
    {
        try
        {
            await Insert(environment, cancellationToken);
        }
        catch (DbUpdateException exception)
        {
            // The other request was first, and wrote the same. Anything else that went wrong shows here again.
            _ = await Find(environment.Id, cancellationToken) ?? throw new InvalidOperationException(
                $"Environment {environment.Id} can neither be inserted nor found.", exception);
        }
    }

    public async Task<EnvironmentRecord?> Find(string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var row = await context.Environments.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Id == id, cancellationToken);
        return row is null ? null : Parse(row);
    }

    public async Task Save(EnvironmentRecord environment, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var body = Serialize(environment);
        var archivedAt = environment.ArchivedAt?.ToMicroseconds();
        await context.Environments.Where(row => row.Id == environment.Id).ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Body, body).SetProperty(row => row.ArchivedAt, archivedAt),
            cancellationToken);
        await Tell(cancellationToken);
    }

    public async Task<bool> Delete(string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var deleted = await context.Environments.Where(row => row.Id == id).ExecuteDeleteAsync(cancellationToken);
        await Tell(cancellationToken);
        return deleted > 0;
    }

    /// <summary>Newest first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<EnvironmentRecord>> List(
        string? before, int limit, bool includeArchived, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Environments.AsNoTracking()
            .Where(row => includeArchived || row.ArchivedAt == null)
            .Where(row => before == null || string.Compare(row.Id, before) < 0)
            .OrderByDescending(row => row.Id)
            .Take(limit + 1).ToListAsync(cancellationToken);
        return rows.ConvertAll(Parse);
    }

    private async Task Tell(CancellationToken cancellationToken)
    {
        await (Changed?.Invoke(cancellationToken) ?? Task.CompletedTask);
        await database.TellEnvironmentsChanged(cancellationToken);
    }

    private static string Serialize(EnvironmentRecord environment) =>
        JsonSerializer.Serialize(environment, WireJson.Default.EnvironmentRecord);

    private static EnvironmentRecord Parse(EnvironmentRow row) =>
        JsonSerializer.Deserialize(row.Body, WireJson.Default.EnvironmentRecord)!;
}
