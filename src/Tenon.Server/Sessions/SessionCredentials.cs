using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Repositories;
using Tenon.Server.Vaults;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Sessions;

/// <summary>
/// What a session may use of its vaults at this moment. Asked at every use, so that a changed, archived or deleted
/// credential counts at once, without a restart of the session.
/// </summary>
public sealed class SessionCredentials(
    SessionStore sessions, CredentialStore credentials, McpTokens tokens, RepositoryTokenStore repositoryTokens,
    MirrorAccess mirrors, RepositoryOptions repositories)
{
    /// <summary>
    /// Those of its sandbox's environment variables: of two with one name the first vault's, and those of repositories.
    /// </summary>
    public async Task<IReadOnlyList<EgressCredential>> Variables(string sessionId, CancellationToken cancellationToken)
    {
        if (MirrorAccess.IsBuilder(sessionId))
        {
            return mirrors.CredentialsOf(sessionId);
        }

        if (await sessions.Find(sessionId, cancellationToken) is not { ArchivedAt: null, Definition: var definition })
        {
            return [];
        }

        var variables = (await OfVaults(definition, cancellationToken)).Select(ToEgress);
        return definition.Repositories.Count == 0 ? [.. variables]
            : [.. variables, .. SessionRepositories.Credentials(
                definition, await repositoryTokens.Of(sessionId, cancellationToken), repositories)];
    }

    /// <summary>The environment variables of its vaults, without their secrets.</summary>
    public async Task<IEnumerable<Credential>> Stored(string sessionId, CancellationToken cancellationToken) =>
        await sessions.Find(sessionId, cancellationToken) is { ArchivedAt: null, Definition: var definition }
            ? (await OfVaults(definition, cancellationToken)).Select(credential => credential.Record) : [];

    private async Task<IEnumerable<StoredCredential>> OfVaults(
        SessionDefinition definition, CancellationToken cancellationToken) =>
        (await credentials.Active(definition.VaultIds, cancellationToken))
            .Where(credential => credential.Record.Auth is VariableCredential)
            .DistinctBy(credential => ((VariableCredential)credential.Record.Auth).SecretName);

    /// <summary>The token for an MCP server; null for a connection without one.</summary>
    /// <param name="rejected">The token that the server has just refused.</param>
    public async Task<string?> McpToken(
        string sessionId, string serverUrl, string? rejected, CancellationToken cancellationToken) =>
        await sessions.Find(sessionId, cancellationToken)
            is { ArchivedAt: null, Definition.VaultIds: { Count: > 0 } vaults }
            ? await tokens.For(vaults, serverUrl, rejected, cancellationToken)
            : null;

    private EgressCredential ToEgress(StoredCredential credential)
    {
        var auth = (VariableCredential)credential.Record.Auth;
        return new EgressCredential
        {
            Id = credential.Record.Id,
            Name = auth.SecretName,
            Secret = credentials.Open(credential).Token,
            Hosts = auth.Networking.AllowedHosts is { } hosts ? [.. hosts.SelectMany(Pattern)] : null,
            InHeader = auth.InjectionLocation.Header,
            InBody = auth.InjectionLocation.Body,
        };
    }

    /// <summary>The hosts of a credential's list. Nothing leaves to an address without a name, so one in it matches
    /// nothing.</summary>
    internal static IEnumerable<HostPattern> Pattern(string host) =>
        System.Net.IPAddress.TryParse(host, out _) ? [] : [HostPattern.Parse(host)];
}
