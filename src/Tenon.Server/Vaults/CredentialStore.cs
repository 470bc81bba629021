using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>The credentials of all vaults, their secrets sealed.</summary>
public sealed class CredentialStore(IDbContextFactory<TenonContext> contexts, VaultKeys keys)
{
    /// <summary>Secrets that are sealed anew in one transaction: others wait that long for the database.</summary>
    private const int ResealBatch = 200;

    /// <summary>Adds it to its vault.</summary>
    public async Task<CredentialInsert> Insert(
        Credential credential, CredentialSecrets secrets, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);

        // A write that changes nothing: whoever adds to this vault, or archives it, at the same time waits here.
        if (await context.Vaults.Where(row => row.Id == credential.VaultId && row.ArchivedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Body, row => row.Body), cancellationToken) == 0)
        {
            return CredentialInsert.NoVault;
        }

        var active = await context.Credentials.Where(row => row.VaultId == credential.VaultId && row.Key != null)
            .Select(row => row.Key).ToListAsync(cancellationToken);
        var key = CredentialRules.KeyOf(credential.Auth);
        if (active.Contains(key))
        {
            return CredentialInsert.Duplicate;
        }

        if (active.Count >= CredentialRules.PerVaultMax)
        {
            return CredentialInsert.Full;
        }

        var @sealed = keys.Seal(credential.Id, secrets.ToJson());
        context.Credentials.Add(new CredentialRow
        {
            Id = credential.Id,
            VaultId = credential.VaultId,
            Key = key,
            KeyId = @sealed.KeyId,
            Secret = @sealed.Content,
            Body = Serialize(credential),
        });
        await context.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return CredentialInsert.Done;
    }

    public async Task<StoredCredential?> Find(string vaultId, string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var row = await context.Credentials.AsNoTracking()
            .SingleOrDefaultAsync(row => row.Id == id && row.VaultId == vaultId, cancellationToken);
        return row is null ? null : Parse(row);
    }

    /// <summary>The active ones of these vaults: those of an earlier vault first, in each the oldest first.</summary>
    public async Task<IReadOnlyList<StoredCredential>> Active(
        IReadOnlyList<string> vaultIds, CancellationToken cancellationToken)
    {
        if (vaultIds.Count == 0)
        {
            return [];
        }

        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Credentials.AsNoTracking()
            .Where(row => vaultIds.Contains(row.VaultId) && row.Key != null)
            .OrderBy(row => row.Id).ToListAsync(cancellationToken);
        return [.. vaultIds.SelectMany(vault => rows.Where(row => row.VaultId == vault)).Select(Parse)];
    }

    /// <summary>Writes it unless it was changed since it was read, or is archived or gone: then false.</summary>
    public async Task<bool> Update(
        StoredCredential read, Credential next, CredentialSecrets secrets, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var @sealed = keys.Seal(next.Id, secrets.ToJson());
        var body = Serialize(next);
        return await context.Credentials
            .Where(row => row.Id == next.Id && row.Revision == read.Revision && row.Key != null)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.Body, body)
                    .SetProperty(row => row.Revision, row => row.Revision + 1)
                    .SetProperty(row => row.KeyId, @sealed.KeyId)
                    .SetProperty(row => row.Secret, @sealed.Content),
                cancellationToken) > 0;
    }

    public async Task Archive(string id, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await Purge(context.Credentials.Where(row => row.Id == id), at.ToMicroseconds(), cancellationToken);
    }

    public async Task<bool> Delete(string vaultId, string id, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Credentials.Where(row => row.Id == id && row.VaultId == vaultId)
            .ExecuteDeleteAsync(cancellationToken) > 0;
    }

    /// <summary>Newest first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<Credential>> List(
        string vaultId, string? before, int limit, bool includeArchived, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Credentials.AsNoTracking()
            .Where(row => row.VaultId == vaultId && (includeArchived || row.ArchivedAt == null))
            .Where(row => before == null || string.Compare(row.Id, before) < 0)
            .OrderByDescending(row => row.Id)
            .Take(limit + 1).ToListAsync(cancellationToken);
        return rows.ConvertAll(row => Parse(row).Record);
    }

    /// <exception cref="System.Security.Cryptography.CryptographicException">Its key is not there.</exception>
    public CredentialSecrets Open(StoredCredential credential) => CredentialSecrets.Parse(
        keys.Open(credential.Record.Id, credential.Sealed ?? throw new ArgumentException("It is archived.")));

    /// <summary>The keys that are needed to open what is stored.</summary>
    public async Task<IReadOnlyList<string>> KeyIds(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        return await context.Credentials.Where(row => row.KeyId != null)
            .Select(row => row.KeyId!).Distinct().ToListAsync(cancellationToken);
    }

    /// <summary>Seals with the current key what an older one has sealed. How many there were.</summary>
    /// <remarks>Row by row: a crash leaves some for the next start, each openable by one of the keys.</remarks>
    public async Task<int> Reseal(CancellationToken cancellationToken)
    {
        for (var count = 0; ;)
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            var current = keys.CurrentId;
            var rows = await context.Credentials.AsNoTracking()
                .Where(row => row.KeyId != null && row.KeyId != current)
                .OrderBy(row => row.Id).Take(ResealBatch).ToListAsync(cancellationToken);
            if (rows.Count == 0)
            {
                return count;
            }

            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            foreach (var row in rows)
            {
                var @sealed = keys.Seal(row.Id, keys.Open(row.Id, new SealedSecret(row.KeyId!, row.Secret!)));
                count += await context.Credentials
                    .Where(stored => stored.Id == row.Id && stored.Revision == row.Revision && stored.KeyId != null)
                    .ExecuteUpdateAsync(
                        set => set.SetProperty(stored => stored.KeyId, @sealed.KeyId)
                            .SetProperty(stored => stored.Secret, @sealed.Content)
                            .SetProperty(stored => stored.Revision, stored => stored.Revision + 1),
                        cancellationToken);
            }

            await transaction.CommitAsync(cancellationToken);
        }
    }

    /// <summary>Archives the active ones among these; their secrets and keys are gone with that.</summary>
    internal static Task<int> Purge(
        IQueryable<CredentialRow> rows, long? archivedAt, CancellationToken cancellationToken) =>
        rows.Where(row => row.ArchivedAt == null).ExecuteUpdateAsync(
            set => set.SetProperty(row => row.ArchivedAt, archivedAt)
                .SetProperty(row => row.Key, (string?)null)
                .SetProperty(row => row.KeyId, (string?)null)
                .SetProperty(row => row.Secret, (byte[]?)null)
                .SetProperty(row => row.Revision, row => row.Revision + 1),
            cancellationToken);

    private static string Serialize(Credential credential) =>
        JsonSerializer.Serialize(credential, WireJson.Default.Credential);

    private static StoredCredential Parse(CredentialRow row)
    {
        var credential = JsonSerializer.Deserialize(row.Body, WireJson.Default.Credential)!;
        if (row.ArchivedAt is { } archived && Microseconds.FromMicroseconds(archived) is var at)
        {
            credential = credential with { ArchivedAt = at, UpdatedAt = at };
        }

        return new StoredCredential(
            credential, row.Revision,
            row is { KeyId: { } keyId, Secret: { } secret } ? new SealedSecret(keyId, secret) : null);
    }
}

/// <param name="Revision">For <see cref="CredentialStore.Update"/>.</param>
/// <param name="Sealed">Its secrets; null once it is archived.</param>
public sealed record StoredCredential(Credential Record, int Revision, SealedSecret? Sealed);

/// <summary>What became of a credential that was to be added.</summary>
public enum CredentialInsert
{
    Done,
    NoVault,
    Duplicate,
    Full,
}
