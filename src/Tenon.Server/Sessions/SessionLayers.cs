using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Images;
using Tenon.Server.Repositories;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// Which layer a session's sandbox gets: its environment's packages, its skills, the mirrors of its repositories, its
/// memory stores, and what stands for its credentials, as they are when a life begins.
/// </summary>
internal sealed class SessionLayers(
    SessionStore sessions, EnvironmentStore environments, PackageLayers layers, EgressCredentials credentials,
    RepositoryMirrors mirrors, WorkingCopies copies, SkillFolders skills)
{
    /// <exception cref="SandboxException">A package could not be installed, or a skill is not to be had.</exception>
    public async Task<SandboxLayer> Of(string sessionId, CancellationToken cancellationToken)
    {
        if (PackageLayers.IsBuilder(sessionId))
        {
            return layers.Builder();
        }

        var session = await sessions.Find(sessionId, cancellationToken);
        var environment = session is null
            ? null : await environments.Find(session.EnvironmentId, cancellationToken);
        var layer = await layers.Ensure(environment?.Config.Packages ?? new(), cancellationToken);
        var placeholders = (await credentials.Variables(sessionId, cancellationToken))
            .Where(variable => !SandboxDescription.IsOwn(variable.Name));
        layer = MirrorAccess.IsBuilder(sessionId) ? mirrors.Builder(sessionId) : layer;
        return layer with
        {
            Mounts =
            [
                .. layer.Mounts, .. session is null ? [] : copies.Mounts(session.Definition),
                .. await skills.Mounts(session?.Definition.Skills ?? [], cancellationToken),
            ],
            Variables = [.. layer.Variables, .. placeholders],
            Memories = session is null ? [] : SessionMemories.Of(session.Definition),
        };
    }
}
