using System.Text.Json;
using Tenon.Server.Agents;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>How an update changes a session (api B.3), and what <c>session.updated</c> then says.</summary>
public static class SessionUpdates
{
    public static SessionDefinition Apply(SessionDefinition stored, SessionUpdate update, bool isIdle)
    {
        if (update.VaultIds is not null)
        {
            throw ApiException.Invalid("vault_ids", "cannot change after creation.");
        }

        return stored with
        {
            Title = update.Title.Or(stored.Title),
            Metadata = Metadata.Merge(stored.Metadata, update.Metadata),
            Agent = update.Agent is { } agent ? Apply(stored.Agent, agent, isIdle) : stored.Agent,
        };
    }

    /// <summary>The event that tells of the difference; null when there is none.</summary>
    public static SessionUpdated? Changes(SessionDefinition before, SessionDefinition after)
    {
        var title = before.Title != after.Title;
        var metadata = before.Metadata.Count != after.Metadata.Count || before.Metadata.Except(after.Metadata).Any();
        var agent = Serialize(before.Agent) != Serialize(after.Agent);
        var budget = before.Budget != after.Budget;
        return !title && !metadata && !agent && !budget
            ? null
            : new SessionUpdated
            {
                Title = title ? new Patch<string>(after.Title) : default,
                Metadata = metadata ? after.Metadata : null,
                Agent = agent ? after.Agent : null,
                Budget = budget ? new Patch<Budget>(after.Budget) : default,
            };
    }

    private static SessionAgent Apply(SessionAgent stored, SessionAgentUpdate update, bool isIdle)
    {
        if (!isIdle)
        {
            throw ApiException.Invalid("agent", "can change only while the session is idle.");
        }

        var servers = update.McpServers.Or(stored.McpServers) ?? [];
        McpServerRules.Check(servers);
        var tools = AgentRules.CheckTools(update.Tools.Or(stored.Tools) ?? [], servers);
        SessionSkillRules.CheckReadable(stored.Skills, tools);
        return stored with { Tools = tools, McpServers = servers };
    }

    private static string Serialize(SessionAgent agent) =>
        JsonSerializer.Serialize(agent, WireJson.Default.SessionAgent);
}
