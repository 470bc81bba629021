using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>Vaults. Archiving or deleting one does the same to its credentials, in one transaction.</summary>
public sealed class VaultStore(IDbContextFactory<TenonContext> contexts)
{
    public async Task Insert(Vault vault, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        context.Vaults.Add(new VaultRow { Id = vault.Id, Body = Serialize(vault) });
        await context.SaveChangesAsync(cancellationToken);
    }

    public async Task<Vault?> Find(string id, CancellationToken cancellationToken) =>
        (await Find([id], cancellationToken)).SingleOrDefault();

    /// <summary>Those of the ids that there are, in no order.</summary>
    public async Task<IReadOnlyList<Vault>> Find(IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Vaults.AsNoTracking()
            .Where(row => ids.Contains(row.Id)).ToListAsync(cancellationToken);
        return rows.ConvertAll(Parse);
    }

    /// <summary>False when it is archived, or gone.</summary>
    public async Task<bool> Update(Vault vault, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var body = Serialize(vault);
        return await context.Vaults.Where(row => row.Id == vault.Id && row.ArchivedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Body, body), cancellationToken) > 0;
    }

    /// <summary>Archives it and its credentials, whose secrets are gone with that. The second time changes nothing.
    /// </summary>
    public async Task Archive(string id, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        long? archivedAt = at.ToMicroseconds();
        await context.Vaults.Where(row => row.Id == id && row.ArchivedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.ArchivedAt, archivedAt), cancellationToken);
        await CredentialStore.Purge(
            context.Credentials.Where(row => row.VaultId == id), archivedAt, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    public async Task<bool> Delete(string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        var deleted = await context.Vaults.Where(row => row.Id == id).ExecuteDeleteAsync(cancellationToken);
        await context.Credentials.Where(row => row.VaultId == id).ExecuteDeleteAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return deleted > 0;
    }

    /// <summary>Newest first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<Vault>> List(
        string? before, int limit, bool includeArchived, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Vaults.AsNoTracking()
            .Where(row => includeArchived || row.ArchivedAt == null)
            .Where(row => before == null || string.Compare(row.Id, before) < 0)
            .OrderByDescending(row => row.Id)
            .Take(limit + 1).ToListAsync(cancellationToken);
        return rows.ConvertAll(Parse);
    }

    private static string Serialize(Vault vault) => JsonSerializer.Serialize(vault, WireJson.Default.Vault);

    private static Vault Parse(VaultRow row)
    {
        var vault = JsonSerializer.Deserialize(row.Body, WireJson.Default.Vault)!;
        return row.ArchivedAt is { } archived && Microseconds.FromMicroseconds(archived) is var at
            ? vault with { ArchivedAt = at, UpdatedAt = at } : vault;
    }
}
