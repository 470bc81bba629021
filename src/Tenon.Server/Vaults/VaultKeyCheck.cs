namespace Tenon.Server.Vaults;

/// <summary>
/// Before the server serves, refuses to when a stored secret cannot be opened, and seals with the current key what an
/// older one has sealed.
/// </summary>
public sealed partial class VaultKeyCheck(
    CredentialStore credentials, RepositoryTokenStore tokens, VaultKeys keys, ILogger<VaultKeyCheck> logger)
{
    /// <exception cref="IOException">A key is missing.</exception>
    public async Task Run(CancellationToken cancellationToken)
    {
        var needed = (await credentials.KeyIds(cancellationToken))
            .Union(await tokens.KeyIds(cancellationToken)).ToList();
        if (needed.FirstOrDefault(id => !keys.Ids.Contains(id)) is { } missing)
        {
            throw new IOException(
                $"The database has secrets that were sealed with the vault key {missing}, which is not there. Give "
                + "that key again (docs/operations/vaults.md); without it these secrets cannot be opened by anybody.");
        }

        if (needed.Any(id => id != keys.CurrentId))
        {
            LogResealed(
                await credentials.Reseal(cancellationToken) + await tokens.Reseal(cancellationToken), keys.CurrentId!);
        }
    }

    [LoggerMessage(LogLevel.Information,
        "{Count} stored secrets are sealed with the key {KeyId} now; older keys can be taken away")]
    private partial void LogResealed(int count, string keyId);
}
