using System.Text.Json;
using System.Text.Json.Nodes;
using Tenon.Server.Agents;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// The agents of a session: its own, and those of the roster, whose definitions are copied into it so that none of them
/// changes while it lives (api B.2).
/// </summary>
public sealed class SessionRosterRules(AgentStore agents, SessionSkillRules skills)
{
    /// <summary>
    /// The agent with its skills and its roster as they are in the session, and what the skills of all of them say.
    /// </summary>
    /// <param name="limits">Gets the bounds that agents of the roster have of their own.</param>
    /// <exception cref="ApiException">400: one of the skills or agents is not there.</exception>
    public async Task<(SessionAgent Agent, IReadOnlyList<SessionSkill> Skills)> Resolve(
        SessionAgent agent, bool isSelfHosted, Dictionary<string, AgentLimits> limits,
        CancellationToken cancellationToken)
    {
        var described = new List<SessionSkill>();
        agent = agent with
        {
            Skills = await skills.Resolve(agent.Skills, isSelfHosted, described, cancellationToken),
        };
        if (agent.Multiagent is not { ValueKind: JsonValueKind.Object } roster)
        {
            return (agent, described);
        }

        var body = JsonNode.Parse(roster.GetRawText())!;
        foreach (var list in (JsonNode?[])
            [body["agents"], body["subagents"]?["predefined_agents"], body["workflows"]?["predefined_agents"]])
        {
            for (var i = 0; i < list?.AsArray().Count; i++)
            {
                if ((string?)list[i]!["type"] == "agent")
                {
                    var member = await Find(agent, list[i]!, limits, cancellationToken);
                    SessionSkillRules.CheckReadable(member.Skills, member.Tools);
                    list[i] = JsonSerializer.SerializeToNode<ThreadAgent>(member with
                    {
                        Skills = await skills.Resolve(member.Skills, isSelfHosted, described, cancellationToken),
                    }, WireJson.Default.ThreadAgent);
                }
            }
        }

        return (agent with { Multiagent = JsonSerializer.SerializeToElement(body) }, described);
    }

    // What the session changes of its agent, its copies have too; others stay as they were saved.
    private async Task<SavedAgent> Find(
        SessionAgent agent, JsonNode reference, Dictionary<string, AgentLimits> limits, CancellationToken cancelled)
    {
        var id = (string)reference["id"]!;
        if (id == agent.Id)
        {
            return SavedAgent.From(agent);
        }

        var member = await agents.Find(id, (int)reference["version"]!, cancelled)
            ?? throw ApiException.Invalid("agent.multiagent", $"there is no agent '{id}' any more.");
        Note(member, limits);
        return SavedAgent.From(SessionAgent.From(member));
    }

    /// <summary>Notes the bounds that an agent has of its own.</summary>
    public static void Note(Agent agent, Dictionary<string, AgentLimits> limits)
    {
        if (AgentLimits.Of(agent.Metadata) is { } own)
        {
            limits[agent.Id] = own;
        }
    }
}
