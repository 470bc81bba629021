using System.Text.Json;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>Credentials that the session has and can use nowhere.</content>
public sealed partial class Turn
{
    // Of this turn alone: what was told is in the log, so that another owner only looks again.
    private bool _hasLookedAtCredentials;

    /// <summary>Finds credentials that the environment lets go nowhere; null for a session that has none, and in
    /// every thread but the primary one.</summary>
    public UnreachableCredentials? Unreachable { get; init; }

    private bool AreCredentialsDue => Unreachable is not null && !_hasLookedAtCredentials;

    /// <summary>Tells of those that the log does not tell of yet. The turn goes on.</summary>
    private async Task LookAtCredentials(CancellationToken cancellationToken)
    {
        var found = await Unreachable!(log.SessionId, cancellationToken);
        var told = History.Session.UnreachableCredentials;
        var news = found.Where(credential => !told.Contains(credential.CredentialId)).Select(NotReached).ToList();
        if (news.Count > 0)
        {
            await log.Append(news);
        }

        _hasLookedAtCredentials = true;
    }

    private static SessionError NotReached(UnreachableCredential credential)
    {
        var error = Error(UnreachableCredential.ErrorType, credential.Message, "retrying");
        error.Error.Extra = new()
        {
            [UnreachableCredential.IdField] = JsonSerializer.SerializeToElement(credential.CredentialId),
            ["vault_id"] = JsonSerializer.SerializeToElement(credential.VaultId),
        };
        return error;
    }
}

/// <summary>
/// An environment variable's secret that can go nowhere: the environment's network policy allows none of its hosts (api
/// C.6, G).
/// </summary>
/// <param name="Message">Shown to clients.</param>
public sealed record UnreachableCredential(string CredentialId, string VaultId, string Message)
{
    internal const string ErrorType = "credential_host_unreachable_error";
    internal const string IdField = "credential_id";
}

/// <summary>Those of a session, as its vaults and its environment are now.</summary>
public delegate Task<IReadOnlyList<UnreachableCredential>> UnreachableCredentials(
    string sessionId, CancellationToken cancellationToken);
