using Tenon.Server.Http;
using Tenon.Server.Skills;
using Tenon.Server.Tools;
using Tenon.Wire.Agents;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>The skills that a session may have (api B.3, G), and which it then has.</summary>
public sealed class SessionSkillRules(SkillChoiceRules choices, SkillStore store)
{
    /// <summary>Holds the folder of each skill in a sandbox.</summary>
    public const string Root = "/mnt/skills";

    /// <summary>Where the official worker unpacks them, below its working directory (api F.2).</summary>
    private const string WorkerRoot = "skills";

    /// <summary>Different versions of skills, over all agents of a session.</summary>
    private const int SkillsMax = 500;

    private const string ReadTool = "read";

    /// <exception cref="ApiException">400: an agent has skills, and no way to read them.</exception>
    public static void CheckReadable(IReadOnlyList<SkillReference> given, IReadOnlyList<AgentTool> tools)
    {
        if (given.Count > 0 && !Permission.IsEnabled(tools, ReadTool))
        {
            throw ApiException.Invalid("agent.skills", "skills are read with the read tool, which the agent has not: "
                + "add agent_toolset_20260401 to its tools, with read enabled.");
        }
    }

    /// <summary>Whether the agent can read skills at all.</summary>
    public static bool CanRead(SessionAgent agent) => Permission.IsEnabled(agent.Tools, ReadTool);

    /// <summary>The skills in the versions that they stand for now.</summary>
    /// <param name="described">Gets what those say of themselves that are not in it yet.</param>
    /// <exception cref="ApiException">400: one of them is not there, or there are too many.</exception>
    public async Task<IReadOnlyList<SkillReference>> Resolve(
        IReadOnlyList<SkillReference> given, bool isSelfHosted, List<SessionSkill> described,
        CancellationToken cancellationToken)
    {
        if (given.Count == 0)
        {
            return given;
        }

        var versions = await choices.Find("agent.skills", given, cancellationToken);
        foreach (var version in versions.DistinctBy(version => (version.SkillId, version.Id)))
        {
            if (described.Exists(skill => skill.SkillId == version.SkillId && skill.Version == version.Id))
            {
                continue;
            }

            described.Add(new SessionSkill
            {
                SkillId = version.SkillId,
                Version = version.Id,
                Name = version.Name,
                Description = version.Description,
                Path = PathOf(version.Name, isSelfHosted, described),
            });
        }

        if (described.Count > SkillsMax)
        {
            throw ApiException.Invalid("agent.skills", $"a session has at most {SkillsMax} different skills.");
        }

        return [.. given.Select((reference, i) => reference with { Version = versions[i].Id })];
    }

    /// <summary>
    /// Lets the files of the skills stay for a session that is about to be made, whatever is deleted from now on.
    /// </summary>
    /// <exception cref="ApiException">400: one of them was deleted meanwhile.</exception>
    public async Task Keep(
        string sessionId, IReadOnlyList<SessionSkill> skills, CancellationToken cancellationToken)
    {
        var versions = skills.Select(skill => skill.Version).OfType<string>()
            .Where(version => version.StartsWith(Wire.IdPrefix.SkillVersion, StringComparison.Ordinal)).ToList();
        if (!await store.Use(sessionId, versions, cancellationToken))
        {
            throw ApiException.Invalid("agent.skills", "a skill was deleted meanwhile.");
        }
    }

    // Skills of one name each have a folder. A worker has one for each name, and its last skill is in it.
    private static string PathOf(string name, bool isSelfHosted, IReadOnlyList<SessionSkill> earlier)
    {
        if (isSelfHosted)
        {
            return $"{WorkerRoot}/{name}";
        }

        var path = $"{Root}/{name}";
        for (var number = 2; earlier.Any(skill => skill.Path == path); number++)
        {
            path = $"{Root}/{name}-{number}";
        }

        return path;
    }
}
