using System.Collections.Concurrent;
using Tenon.Server.Storage;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>The tokens for MCP servers, renewed ahead of their end (api G).</summary>
public sealed partial class McpTokens(
    CredentialStore store, TokenEndpoint endpoint, TimeProvider clock, ILogger<McpTokens> logger) : IDisposable
{
    /// <summary>A token that ends sooner is renewed before it is used: clocks differ, and a call takes its time.
    /// </summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMinutes(1);

    /// <summary>A renewal that failed is tried again after so long, or as soon as the credential is changed.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly StripedLock _renewing = new();
    private readonly ConcurrentDictionary<string, (int Revision, DateTimeOffset Until)> _failed = new();

    /// <summary>
    /// The token for a server, from the first of the vaults that has one; null when none has one, or only the one that
    /// was rejected.
    /// </summary>
    /// <param name="rejected">The token that the server has just refused: one that can be renewed is.</param>
    public async Task<string?> For(
        IReadOnlyList<string> vaultIds, string serverUrl, string? rejected, CancellationToken cancellationToken)
    {
        if (ServerUrl.Normalize(serverUrl) is not { } url)
        {
            return null;
        }

        var found = (await store.Active(vaultIds, cancellationToken)).FirstOrDefault(
            credential => CredentialRules.KeyOf(credential.Record.Auth) == "mcp:" + url);
        if (found is null)
        {
            return null;
        }

        var token = store.Open(found).Token;
        if (found.Record.Auth is OAuthCredential { Refresh: not null } auth
            && (token == rejected || auth.ExpiresAt < clock.GetUtcNow() + Ahead) && !IsPaused(found))
        {
            token = (await Renew(found, token).WaitAsync(cancellationToken)).Token;
        }

        return token == rejected ? null : token;
    }

    /// <summary>
    /// Renews a token unless somebody else just has. What is used from now on, and how the renewal went; null when
    /// there was none.
    /// </summary>
    /// <param name="token">The one that is not good any more.</param>
    public async Task<(string Token, Renewal? Renewal)> Renew(StoredCredential credential, string token)
    {
        // Nothing cancels this: a server may take back the old refresh token as it gives the new one.
        var (vaultId, id) = (credential.Record.VaultId, credential.Record.Id);
        using var turn = await _renewing.Enter(id, CancellationToken.None);
        if (await store.Find(vaultId, id, CancellationToken.None) is not { Sealed: not null } stored
            || stored.Record.Auth is not OAuthCredential auth || store.Open(stored) is var secrets
            && secrets.Token != token)
        {
            return (await Token(vaultId, id) ?? token, null);
        }

        var renewal = await endpoint.Renew(auth, secrets);
        if (renewal is not Renewal.Succeeded renewed)
        {
            _failed[id] = (stored.Revision, clock.GetUtcNow() + Pause);
            LogFailed(id, ((Renewal.Failed)renewal).Reason);
            return (token, renewal);
        }

        while (!await store.Update(stored, Next(stored, renewed), renewed.Secrets, CancellationToken.None))
        {
            // Its name was changed meanwhile, which must not cost the new tokens; or its secrets were, which win.
            if (await store.Find(vaultId, id, CancellationToken.None) is not { Sealed: not null } again
                || store.Open(again).Token != token)
            {
                return (await Token(vaultId, id) ?? token, null);
            }

            stored = again;
        }

        _failed.TryRemove(id, out _);
        return (renewed.Secrets.Token, renewed);
    }

    public void Dispose() => _renewing.Dispose();

    private Credential Next(StoredCredential stored, Renewal.Succeeded renewed) => stored.Record with
    {
        Auth = ((OAuthCredential)stored.Record.Auth) with { ExpiresAt = renewed.Auth.ExpiresAt },
        UpdatedAt = clock.GetUtcNow(),
    };

    private async Task<string?> Token(string vaultId, string id) =>
        await store.Find(vaultId, id, CancellationToken.None) is { Sealed: not null } stored
            ? store.Open(stored).Token : null;

    private bool IsPaused(StoredCredential credential) =>
        _failed.TryGetValue(credential.Record.Id, out var failure) && failure.Revision == credential.Revision
        && failure.Until > clock.GetUtcNow();

    [LoggerMessage(LogLevel.Warning, "The access token of {CredentialId} was not renewed: {Reason}")]
    private partial void LogFailed(string credentialId, string reason);
}
