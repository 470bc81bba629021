using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Harness;
using Tenon.Server.Images;
using Tenon.Server.Repositories;
using Tenon.Wire.Agents;
using Tenon.Wire.Environments;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>What a session's sandbox may reach at this moment: asked at every request, so that a change counts at once.
/// </summary>
public sealed class SessionEgress(
    SessionStore sessions, EnvironmentStore environments, MirrorAccess mirrors, RepositoryOptions repositories,
    EgressOptions options)
{
    private static readonly Networking PackageManagers = new() { Type = "limited", AllowPackageManagers = true };
    private static readonly Networking OwnOnly = new() { Type = "limited" };

    public async Task<EgressRules> RulesOf(string sessionId, CancellationToken cancellationToken) =>
        PackageLayers.IsBuilder(sessionId) ? EgressRules.Of(PackageManagers, [], options)
        : MirrorAccess.IsBuilder(sessionId) ? mirrors.HostOf(sessionId) is { } host
            ? EgressRules.Of(OwnOnly, [], options, [host]) : EgressRules.Nothing
        : await sessions.Find(sessionId, cancellationToken) is { ArchivedAt: null } session
        && await environments.Find(session.EnvironmentId, cancellationToken) is { Config.Networking: { } networking }
            ? EgressRules.Of(
                networking, networking.AllowMcpServers == true
                    ? [.. ServersOf(session.Definition.Agent).SelectMany(HostOf)] : [], options,
                [.. session.Definition.Repositories
                    .Select(resource => RepositoryUrl.TryParse(resource.Url, repositories)?.Pattern)
                    .OfType<HostPattern>()])
            : EgressRules.Nothing;

    // Those of agents that it may call upon count too: all share the sandbox.
    private static IEnumerable<McpServer> ServersOf(SessionAgent agent) =>
        agent.McpServers.Concat(Roster.Of(agent).Saved.SelectMany(member => member.McpServers));

    private static IEnumerable<HostPattern> HostOf(McpServer server) =>
        Uri.TryCreate(server.Url, UriKind.Absolute, out var url) && HostName.TryParse(url.IdnHost) is { } host
            ? [HostPattern.Parse(url.IsDefaultPort ? host : $"{host}:{url.Port}")]
            : [];
}
