using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Images;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// Which layer a session's sandbox gets: its environment's packages, and what stands for its credentials, as they are
/// when a life begins.
/// </summary>
internal sealed class SessionLayers(
    SessionStore sessions, EnvironmentStore environments, PackageLayers layers, EgressCredentials credentials)
{
    /// <exception cref="SandboxException">A package could not be installed.</exception>
    public async Task<SandboxLayer> Of(string sessionId, CancellationToken cancellationToken)
    {
        if (PackageLayers.IsBuilder(sessionId))
        {
            return layers.Builder();
        }

        var environment = await sessions.Find(sessionId, cancellationToken) is { } session
            ? await environments.Find(session.EnvironmentId, cancellationToken)
            : null;
        var layer = await layers.Ensure(environment?.Config.Packages ?? new(), cancellationToken);
        var placeholders = (await credentials.Variables(sessionId, cancellationToken))
            .Where(variable => !SandboxDescription.IsOwn(variable.Name));
        return layer with { Variables = [.. layer.Variables, .. placeholders] };
    }
}
