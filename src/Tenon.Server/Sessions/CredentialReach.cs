using Tenon.Server.Harness;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Sessions;

/// <summary>Whether the secrets of a session can go where they may: both sides change while it runs.</summary>
public sealed class CredentialReach(SessionCredentials credentials, SessionEgress egress)
{
    /// <summary>Hosts that an error names; more would hide what is wrong.</summary>
    private const int HostsShown = 5;

    /// <inheritdoc cref="UnreachableCredentials"/>
    public async Task<IReadOnlyList<UnreachableCredential>> Unreachable(
        string sessionId, CancellationToken cancellationToken)
    {
        var stored = (await credentials.Stored(sessionId, cancellationToken)).ToList();
        if (stored.Count == 0)
        {
            return [];
        }

        var rules = await egress.RulesOf(sessionId, cancellationToken);
        return [.. stored.Where(one => Hosts(one) is { } hosts
                && rules.IsLimited && !hosts.SelectMany(SessionCredentials.Pattern).Any(rules.Reaches))
            .Select(one => new UnreachableCredential(one.Id, one.VaultId, Message(one)))];
    }

    private static IReadOnlyList<string>? Hosts(Credential credential) =>
        ((VariableCredential)credential.Auth).Networking.AllowedHosts;

    private static string Message(Credential credential)
    {
        var hosts = Hosts(credential)!;
        var more = hosts.Count > HostsShown ? $" and {hosts.Count - HostsShown} more" : "";
        return $"The secret of {((VariableCredential)credential.Auth).SecretName} can go nowhere: the environment's "
            + $"networking allows none of its hosts ({string.Join(", ", hosts.Take(HostsShown))}{more}). "
            + "Add one to the environment's allowed_hosts.";
    }
}
