using Tenon.Server.Environments;
using Tenon.Server.Images;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>Which layer a session's sandbox gets: its environment's packages as they are when a life begins.</summary>
internal sealed class SessionLayers(SessionStore sessions, EnvironmentStore environments, PackageLayers layers)
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
        return await layers.Ensure(environment?.Config.Packages ?? new(), cancellationToken);
    }
}
