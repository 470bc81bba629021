using System.Text;
using Microsoft.EntityFrameworkCore;
using Tenon.Server.Storage;

namespace Tenon.Server.Vaults;

/// <summary>The tokens that sessions were given for their repositories, sealed as credentials are.</summary>
public sealed class RepositoryTokenStore(IDbContextFactory<TenonContext> contexts, VaultKeys keys)
{
    /// <summary>Writes a token; one that the resource has already is replaced.</summary>
    public async Task Save(string sessionId, string resourceId, string token, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var @sealed = keys.Seal(resourceId, Encoding.UTF8.GetBytes(token));
        if (await Replace(context, resourceId, @sealed, cancellationToken) == 0)
        {
            context.RepositoryTokens.Add(new RepositoryTokenRow
            {
                ResourceId = resourceId, SessionId = sessionId, KeyId = @sealed.KeyId, Secret = @sealed.Content,
            });
            await context.SaveChangesAsync(cancellationToken);
        }
    }

    /// <summary>The session's tokens by their resources.</summary>
    public async Task<IReadOnlyDictionary<string, string>> Of(string sessionId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.RepositoryTokens.AsNoTracking()
            .Where(row => row.SessionId == sessionId).ToListAsync(cancellationToken);
        return rows.ToDictionary(row => row.ResourceId, Open);
    }

    public async Task DeleteSession(string sessionId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.RepositoryTokens.Where(row => row.SessionId == sessionId).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>For the start of a server: removes those of sessions that are no more, or never were.</summary>
    public async Task Sweep(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.RepositoryTokens.Where(row => !context.Sessions.Any(session => session.Id == row.SessionId))
            .ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>The keys that are needed to open what is stored.</summary>
    internal async Task<IReadOnlyList<string>> KeyIds(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.RepositoryTokens.Select(row => row.KeyId).Distinct().ToListAsync(cancellationToken);
    }

    /// <summary>Seals with the current key what an older one has sealed, one by one. How many there were.</summary>
    internal async Task<int> Reseal(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var current = keys.CurrentId;
        var rows = await context.RepositoryTokens.AsNoTracking()
            .Where(row => row.KeyId != current).ToListAsync(cancellationToken);
        foreach (var row in rows)
        {
            var @sealed = keys.Seal(row.ResourceId, Encoding.UTF8.GetBytes(Open(row)));
            await Replace(context, row.ResourceId, @sealed, cancellationToken);
        }

        return rows.Count;
    }

    private string Open(RepositoryTokenRow row) =>
        Encoding.UTF8.GetString(keys.Open(row.ResourceId, new SealedSecret(row.KeyId, row.Secret)));

    private static Task<int> Replace(
        TenonContext context, string resourceId, SealedSecret @sealed, CancellationToken cancellationToken) =>
        context.RepositoryTokens.Where(row => row.ResourceId == resourceId).ExecuteUpdateAsync(
            set => set.SetProperty(row => row.KeyId, @sealed.KeyId).SetProperty(row => row.Secret, @sealed.Content),
            cancellationToken);
}
