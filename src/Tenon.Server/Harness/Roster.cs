using System.Text.Json;
using Tenon.Wire;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>Whom a session's agent can call upon (api B.2), as its <c>multiagent</c> in the session says.</summary>
public sealed record Roster
{
    /// <summary>Of an agent that works alone.</summary>
    public static readonly Roster None = new();

    /// <summary>Whether it can start threads.</summary>
    public bool HasSubagents { get; init; }

    /// <summary>Saved agents that can work in threads.</summary>
    public IReadOnlyList<SavedAgent> Subagents { get; init; } = [];

    /// <summary>Whether it can make up agents for threads.</summary>
    public bool CanDefineSubagents { get; init; }

    /// <summary>Whether it can start workflow runs.</summary>
    public bool HasWorkflows { get; init; }

    /// <summary>Saved agents that plans of workflow runs can use.</summary>
    public IReadOnlyList<SavedAgent> WorkflowAgents { get; init; } = [];

    /// <summary>Whether such plans can make up agents.</summary>
    public bool CanDefineInWorkflows { get; init; }

    /// <summary>The model that the primary thread can ask for advice; null for none.</summary>
    public string? AdvisorModel { get; init; }

    /// <summary>Every saved agent of it, once.</summary>
    public IEnumerable<SavedAgent> Saved =>
        Subagents.Concat(WorkflowAgents).DistinctBy(agent => (agent.Id, agent.Version));

    public static Roster Of(SessionAgent agent)
    {
        if (agent.Multiagent is not { ValueKind: JsonValueKind.Object } body)
        {
            return None;
        }

        if (Type(body) == "coordinator")
        {
            var agents = Agents(body, "agents");
            var saved = agents.OfType<SavedAgent>().ToList();
            return new Roster
            {
                HasSubagents = saved.Count > 0,
                Subagents = saved,
                AdvisorModel = agents.OfType<Advisor>().FirstOrDefault()?.Model,
            };
        }

        var subagents = Enabled(body, "subagents");
        var workflows = Enabled(body, "workflows");
        return new Roster
        {
            HasSubagents = subagents is not null,
            Subagents = [.. Agents(subagents, "predefined_agents").OfType<SavedAgent>()],
            CanDefineSubagents = Enabled(subagents, "inline_agents") is not null,
            HasWorkflows = workflows is not null,
            WorkflowAgents = [.. Agents(workflows, "predefined_agents").OfType<SavedAgent>()],
            CanDefineInWorkflows = Enabled(workflows, "inline_agents") is not null,
            AdvisorModel = Enabled(body, "advisor") is { } advisor ? advisor.GetProperty("model").GetString() : null,
        };
    }

    private static JsonElement? Enabled(JsonElement? parent, string name) =>
        parent is { } given && given.TryGetProperty(name, out var member) && Type(member) == "enabled" ? member : null;

    private static string? Type(JsonElement member) => member.GetProperty("type").GetString();

    private static IReadOnlyList<ThreadAgent> Agents(JsonElement? parent, string name) =>
        parent is { } given && given.TryGetProperty(name, out var list)
            ? [.. list.EnumerateArray().Select(item => item.Deserialize(WireJson.Default.ThreadAgent)!)] : [];
}
