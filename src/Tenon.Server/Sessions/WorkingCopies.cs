using System.Text.Json;
using Tenon.Server.Repositories;
using Tenon.Server.Sandboxes;
using Tenon.Server.Vaults;
using Tenon.Wire;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>The working copies of sessions' repositories in their sandboxes.</summary>
internal sealed class WorkingCopies(
    SessionStore sessions, RepositoryTokenStore tokens, SessionRepositories repositories, RepositoryMirrors mirrors,
    SandboxProvider sandboxes, IdSource ids)
{
    /// <summary>A copy of what is on this machine: minutes for the largest.</summary>
    private static readonly TimeSpan CloneTime = TimeSpan.FromMinutes(20);

    /// <summary>Puts the working copies into a sandbox; one that is there is left as it is.</summary>
    public async Task<SandboxProvision> Provision(
        string sessionId, ISandbox sandbox, CancellationToken cancellationToken)
    {
        if (await sessions.Find(sessionId, cancellationToken)
            is not { Definition: { Repositories: { Count: > 0 } all, Agent: var agent } })
        {
            return SandboxProvision.None;
        }

        var known = await tokens.Of(sessionId, cancellationToken);
        var (notices, problems) = (new List<string>(), new List<SandboxProblem>());
        for (var i = 0; i < all.Count; i++)
        {
            var (said, fault) = await Provision(
                sandbox, all[i], known.GetValueOrDefault(all[i].Id), SessionRepositories.VariableOf(i),
                cancellationToken);
            if (fault is not null)
            {
                problems.Add(new SandboxProblem(fault.Type, $"{all[i].Url}: {fault.Message}", all[i].Url));
                notices.Add($"[{all[i].Url} is not at {all[i].MountPath}: {fault.Message} It is tried again later.]");
            }
            else if (said is not null)
            {
                notices.Add(said);
                if (SessionSkillRules.CanRead(agent)
                    && SessionNotes.Found(RepositorySkills.Find(
                        sandboxes.FolderOf(sessionId).Workspace, all[i].MountPath)) is { } skills)
                {
                    notices.Add(skills);
                }
            }
        }

        return new SandboxProvision(notices.Count > 0 ? string.Join('\n', notices) : null, problems);
    }

    /// <summary>The mirrors, from which they are made.</summary>
    public IReadOnlyList<SandboxMount> Mounts(SessionDefinition definition) =>
        [.. definition.Repositories.Select(repositories.UrlOf).OfType<RepositoryUrl>().DistinctBy(url => url.Text)
            .Select(mirrors.MountOf)];

    private async Task<(string? Said, RepositoryFault? Fault)> Provision(
        ISandbox sandbox, RepositoryResource resource, string? token, string variable,
        CancellationToken cancellationToken)
    {
        if (!(await Bash(sandbox, GitScripts.IsThere(resource), cancellationToken)).IsError)
        {
            return (null, null);
        }

        if (repositories.UrlOf(resource) is not { } url)
        {
            return (null, new RepositoryFault("repository_clone_error",
                "its host is not allowed any more; the operator's setting is repositories.hosts."));
        }

        if (await mirrors.Update(url, token, resource.Checkout?.Sha, cancellationToken) is { } fault)
        {
            return (null, fault);
        }

        var script = GitScripts.Clone(resource, mirrors.PathOf(url), token is null ? null : variable);
        var output = await Bash(sandbox, script, cancellationToken);
        var said = RepositoryMirrors.Text(output);
        return !output.IsError ? ($"[{resource.Url} is checked out at {resource.MountPath}: {Named(said)}.]", null)
            : (null, FaultOf(said, resource, token is not null));
    }

    // Another id for each call: the hand keeps the result of a call under its id.
    private async Task<ToolOutput> Bash(ISandbox sandbox, string script, CancellationToken cancellationToken)
    {
        var id = ids.Next("clone_");
        var output = await sandbox.Call(
            new SandboxCall(id, "bash", JsonSerializer.SerializeToElement(new Dictionary<string, object>
            {
                ["command"] = script, ["timeout_ms"] = (int)CloneTime.TotalMilliseconds,
            })),
            cancellationToken);
        await sandbox.Forget(id, cancellationToken);
        return output;
    }

    private static RepositoryFault FaultOf(string said, RepositoryResource resource, bool hasToken) =>
        said.Contains(GitScripts.NoCheckout, StringComparison.Ordinal) ? new RepositoryFault(
            RepositoryFault.Checkout,
            $"it has no {resource.Checkout?.Type} '{resource.Checkout?.Name ?? resource.Checkout?.Sha}'.")
        : said.Contains(GitScripts.NotEmpty, StringComparison.Ordinal) ? new RepositoryFault(
            RepositoryFault.Checkout, $"{resource.MountPath} has other files.")
        : RepositoryFault.OfFetch(said, hasToken);

    private static string Named(string said) => said.Split('\n')[^1].Split(' ') switch
    {
        [{ Length: > 0 } commit, { Length: > 0 } branch] => $"branch {branch} at {commit}",
        [{ Length: > 0 } commit, ..] => $"commit {commit}",
        _ => "it has no commits yet",
    };
}
