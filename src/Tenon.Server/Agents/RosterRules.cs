using System.Text.Json;
using System.Text.Json.Nodes;
using Tenon.Server.Http;
using Tenon.Wire.Agents;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Agents;

/// <summary>
/// Whom an agent may call upon (api B.2): a roster is checked and its agents are pinned to versions when the agent is
/// saved.
/// </summary>
public sealed class RosterRules(AgentStore agents)
{
    /// <summary>The names of the tools by which agents work together.</summary>
    public static readonly IReadOnlySet<string> ReservedNames = new HashSet<string>
    {
        "list_agents", "send_to_agent", "consult_advisor", "start_workflow_run", "stop_workflow_run",
    };

    private const int RosterMax = 20;
    private const int TextMax = 256;
    private const string Path = "multiagent";
    private const string CoordinatorType = "coordinator";
    private const string MembersType = "multiagent_20261001";

    /// <summary>The agent with its roster as it is saved and shown.</summary>
    /// <param name="stored">What the agent had before; null for a new one, or when the roster stays as it is.</param>
    /// <exception cref="ApiException">400, with the place in the roster.</exception>
    public async Task<Agent> Resolve(Agent agent, JsonElement? stored, CancellationToken cancellationToken)
    {
        if (agent.Multiagent is not { } given)
        {
            return agent;
        }

        Object(Path, given);
        var resolved = Text(Path, given, "type") switch
        {
            CoordinatorType => await ResolveCoordinator(agent, given, cancellationToken),
            MembersType => await ResolveMembers(agent, Merge(given, stored), cancellationToken),
            _ => throw ApiException.Invalid($"{Path}.type", $"must be {CoordinatorType} or {MembersType}."),
        };
        return agent with { Multiagent = JsonSerializer.SerializeToElement(resolved) };
    }

    /// <summary>The agent with its copies of itself in the version that it has now.</summary>
    public static Agent Repin(Agent agent)
    {
        if (agent.Multiagent is not { } roster)
        {
            return agent;
        }

        var body = JsonNode.Parse(roster.GetRawText())!;
        foreach (var list in (JsonNode?[])
            [body["agents"], body["subagents"]?["predefined_agents"], body["workflows"]?["predefined_agents"]])
        {
            foreach (var entry in list?.AsArray().Where(entry => (string?)entry!["id"] == agent.Id) ?? [])
            {
                entry!["version"] = agent.Version;
            }
        }

        return agent with { Multiagent = JsonSerializer.SerializeToElement(body) };
    }

    /// <summary>Turns away tools that are called as those by which agents work together.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static void CheckNames(Agent agent)
    {
        for (var i = 0; agent.Multiagent is not null && i < agent.Tools.Count; i++)
        {
            if (agent.Tools[i] is CustomTool custom && ReservedNames.Contains(custom.Name))
            {
                throw ApiException.Invalid(
                    $"tools.{i}.name", $"'{custom.Name}' is reserved for agents with a roster.");
            }
        }
    }

    private async Task<JsonObject> ResolveCoordinator(Agent agent, JsonElement given, CancellationToken cancelled)
    {
        var entries = given.TryGetProperty("agents", out var list) && list.ValueKind == JsonValueKind.Array
            && list.GetArrayLength() is > 0 and <= RosterMax ? list.EnumerateArray().ToList()
            : throw ApiException.Invalid($"{Path}.agents", $"must be a list of 1 to {RosterMax} agents.");
        var advisors = entries.FindAll(IsAdvisor);
        if (advisors.Count > 1)
        {
            throw ApiException.Invalid($"{Path}.agents", "at most one advisor is allowed.");
        }

        var members = await Pin($"{Path}.agents", agent, entries, cancelled);
        if (advisors.Count == 1)
        {
            var at = entries.FindIndex(IsAdvisor);
            var model = Text($"{Path}.agents.{at}", advisors[0], "model");
            var namesake = members.Find(member => member.Name == ThreadAgent.AdvisorName);
            if (namesake is not null)
            {
                throw ApiException.Invalid($"{Path}.agents", $"the name of agent '{namesake.Id}', "
                    + $"{ThreadAgent.AdvisorName}, is reserved for the advisor.");
            }

            return new JsonObject
            {
                ["type"] = CoordinatorType,
                ["agents"] = new JsonArray(
                    [.. members.Select(Reference), new JsonObject { ["type"] = "advisor", ["model"] = model }]),
            };
        }

        return new JsonObject
        {
            ["type"] = CoordinatorType, ["agents"] = new JsonArray([.. members.Select(Reference)]),
        };
    }

    private async Task<JsonObject> ResolveMembers(Agent agent, JsonElement given, CancellationToken cancelled)
    {
        var unknown = given.EnumerateObject().Select(member => member.Name).FirstOrDefault(
            name => name is not ("type" or "subagents" or "workflows" or "advisor"));
        return unknown is not null
            ? throw ApiException.Invalid($"{Path}.{unknown}", "is not a member of multiagent_20261001.")
            : new JsonObject
            {
                ["type"] = MembersType,
                ["subagents"] = await ResolveMember("subagents", agent, given, cancelled),
                ["workflows"] = await ResolveMember("workflows", agent, given, cancelled),
                ["advisor"] = ResolveAdvisor(given),
            };
    }

    private async Task<JsonObject> ResolveMember(
        string name, Agent agent, JsonElement given, CancellationToken cancelled)
    {
        var path = $"{Path}.{name}";
        var member = Given(given, name);
        if (!IsEnabled(path, member, byDefault: true))
        {
            return Disabled();
        }

        var inline = IsEnabled($"{path}.inline_agents", Given(member, "inline_agents"), byDefault: true);
        var entries = Given(member, "predefined_agents") switch
        {
            null => [],
            { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() <= RosterMax =>
                list.EnumerateArray().ToList(),
            _ => throw ApiException.Invalid(
                $"{path}.predefined_agents", $"must be a list of at most {RosterMax} agents."),
        };
        if (entries.Exists(IsAdvisor))
        {
            throw ApiException.Invalid(
                $"{path}.predefined_agents", $"an advisor is not one of them: see {Path}.advisor.");
        }

        if (!inline && entries.Count == 0)
        {
            throw ApiException.Invalid($"{path}.predefined_agents",
                "must name at least one agent when inline_agents is disabled.");
        }

        var members = await Pin($"{path}.predefined_agents", agent, entries, cancelled);
        return new JsonObject
        {
            ["type"] = "enabled",
            ["inline_agents"] = inline ? Enabled() : Disabled(),
            ["predefined_agents"] = new JsonArray([.. members.Select(Reference)]),
        };
    }

    private static JsonObject ResolveAdvisor(JsonElement given)
    {
        var path = $"{Path}.advisor";
        var advisor = Given(given, "advisor");
        if (!IsEnabled(path, advisor, byDefault: false))
        {
            return Disabled();
        }

        var enabled = Enabled();
        enabled["model"] = Text(path, advisor!.Value, "model");
        return enabled;
    }

    /// <summary>The agents of a list in the versions that they stand for now, the advisor left out.</summary>
    private async Task<List<Agent>> Pin(
        string path, Agent owner, List<JsonElement> entries, CancellationToken cancelled)
    {
        var pinned = new List<Agent>();
        for (var i = 0; i < entries.Count; i++)
        {
            if (IsAdvisor(entries[i]))
            {
                continue;
            }

            var member = await Pin($"{path}.{i}", owner, entries[i], cancelled);
            if (pinned.Exists(earlier => earlier.Id == member.Id))
            {
                throw ApiException.Invalid($"{path}.{i}", $"agent '{member.Id}' is in the list twice.");
            }

            if (member.Model.InferenceGeo != owner.Model.InferenceGeo)
            {
                throw ApiException.Invalid($"{path}.{i}", "model.inference_geo must be the same for the agent and all "
                    + $"of its roster: agent '{member.Id}' differs.");
            }

            pinned.Add(member);
        }

        return pinned;
    }

    private async Task<Agent> Pin(string path, Agent owner, JsonElement entry, CancellationToken cancelled)
    {
        var (id, version) = entry.ValueKind == JsonValueKind.String
            ? (entry.GetString()!, null) : Named(path, entry, owner);
        if (id == owner.Id)
        {
            // Its copies are of the version that is being saved.
            return owner;
        }

        var member = await agents.Find(id, version, cancelled) ?? throw ApiException.Invalid(
            path, version is null ? $"there is no agent '{id}'." : $"agent '{id}' has no version {version}.");
        return member switch
        {
            { ArchivedAt: not null } => throw ApiException.Invalid(path, $"agent '{id}' is archived."),
            { Multiagent: not null } => throw ApiException.Invalid(
                path, $"agent '{id}' has a roster of its own, and only one level is allowed."),
            _ => member,
        };
    }

    private static (string Id, int? Version) Named(string path, JsonElement entry, Agent owner)
    {
        Object(path, entry);
        switch (Text(path, entry, "type"))
        {
            case "self":
                return (owner.Id, null);
            case "agent":
                var version = Given(entry, "version");
                return (Text(path, entry, "id"), version switch
                {
                    null => null,
                    { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out var given) && given > 0 =>
                        given,
                    _ => throw ApiException.Invalid($"{path}.version", "must be a number of at least 1."),
                });
            case var type:
                throw ApiException.Invalid($"{path}.type", $"'{type}' is not one of agent, self, advisor.");
        }
    }

    // A key that is left out keeps what is stored, level by level; null takes the default (api B.2).
    private static JsonElement Merge(JsonElement given, JsonElement? stored)
    {
        if (stored is not { ValueKind: JsonValueKind.Object } kept || given.ValueKind != JsonValueKind.Object
            || !kept.TryGetProperty("type", out var keptType) || !given.TryGetProperty("type", out var type)
            || !JsonElement.DeepEquals(type, keptType))
        {
            return given;
        }

        var merged = new JsonObject();
        foreach (var member in given.EnumerateObject())
        {
            var value = kept.TryGetProperty(member.Name, out var before) ? Merge(member.Value, before) : member.Value;
            merged[member.Name] = JsonNode.Parse(value.GetRawText());
        }

        foreach (var member in kept.EnumerateObject().Where(member => !merged.ContainsKey(member.Name)))
        {
            merged[member.Name] = JsonNode.Parse(member.Value.GetRawText());
        }

        return JsonSerializer.SerializeToElement(merged);
    }

    private static bool IsEnabled(string path, JsonElement? member, bool byDefault)
    {
        if (member is not { } given)
        {
            return byDefault;
        }

        Object(path, given);
        return Text(path, given, "type") switch
        {
            "enabled" => true,
            "disabled" => false,
            var type => throw ApiException.Invalid($"{path}.type", $"'{type}' is neither enabled nor disabled."),
        };
    }

    private static JsonElement? Given(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } given && given.TryGetProperty(name, out var member)
            && member.ValueKind != JsonValueKind.Null ? member : null;

    private static bool IsAdvisor(JsonElement entry) => entry.ValueKind == JsonValueKind.Object
        && entry.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
        && type.ValueEquals("advisor");

    private static void Object(string path, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw ApiException.Invalid(path, "must be an object.");
        }
    }

    private static string Text(string path, JsonElement parent, string name) =>
        Given(parent, name) is { ValueKind: JsonValueKind.String } text
            && text.GetString() is { Length: > 0 and <= TextMax } given
            ? given : throw ApiException.Invalid($"{path}.{name}", $"must be a text of 1 to {TextMax} characters.");

    private static JsonObject Reference(Agent agent) =>
        new() { ["type"] = "agent", ["id"] = agent.Id, ["version"] = agent.Version };

    private static JsonObject Enabled() => new() { ["type"] = "enabled" };

    private static JsonObject Disabled() => new() { ["type"] = "disabled" };
}
