using System.Globalization;
using System.Text.Json;
using Tenon.Server.Http;
using Tenon.Server.Skills;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Tenon.Wire.Http;

namespace Tenon.Server.Agents;

/// <summary>Agents and their versions (api A.1).</summary>
public static class AgentsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 100;

    public static void MapAgents(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/agents", Create);
        routes.MapGet("/v1/agents", List);
        routes.MapGet("/v1/agents/{id}", Get);
        routes.MapPost("/v1/agents/{id}", Update);
        routes.MapPost("/v1/agents/{id}/archive", Archive);
        routes.MapGet("/v1/agents/{id}/versions", ListVersions);
    }

    private static async Task<IResult> Create(
        HttpRequest request, AgentStore store, AgentChoices choices, IdSource ids, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.AgentCreate);
        var now = clock.GetUtcNow();
        var agent = AgentRules.Check(new Agent
        {
            Id = ids.Next(IdPrefix.Agent),
            Version = 1,
            Name = body.Name,
            Model = body.Model,
            Description = body.Description,
            System = body.System,
            Tools = body.Tools ?? [],
            McpServers = body.McpServers ?? [],
            Skills = body.Skills ?? [],
            Multiagent = body.Multiagent,
            ExecutionIdentity = body.ExecutionIdentity ?? new ExecutionIdentity(),
            Metadata = body.Metadata ?? new Dictionary<string, string>(),
            CreatedAt = now,
            UpdatedAt = now,
        });
        agent = agent with { Skills = await choices.Skills.Resolve("skills", agent.Skills, cancellationToken) };
        RosterRules.CheckNames(agent);
        agent = await choices.Rosters.Resolve(agent, stored: null, cancellationToken);
        await store.Insert(agent, cancellationToken);
        return Body.Json(agent, WireJson.Default.Agent);
    }

    private static async Task<IResult> Get(
        string id, HttpRequest request, AgentStore store, CancellationToken cancellationToken)
    {
        var version = request.Number("version", 1, int.MaxValue);
        return Body.Json(await Find(store, id, version, cancellationToken), WireJson.Default.Agent);
    }

    private static async Task<IResult> Update(
        string id, HttpRequest request, AgentStore store, AgentChoices choices, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.AgentUpdate);
        if (body.Version < 1)
        {
            throw ApiException.Invalid("version", "must be at least 1.");
        }

        var stored = await Find(store, id, null, cancellationToken);
        if (stored.ArchivedAt is not null)
        {
            throw ApiException.Invalid("", $"Agent '{id}' is archived and cannot change.");
        }

        if (body.Version is { } seen && seen != stored.Version)
        {
            throw VersionConflict(id, seen, stored.Version);
        }

        var next = AgentRules.Check(Apply(stored, body));
        if (body.Skills.IsGiven)
        {
            // Those that stay were resolved before, and may be gone by now.
            next = next with { Skills = await choices.Skills.Resolve("skills", next.Skills, cancellationToken) };
        }

        RosterRules.CheckNames(next);
        if (body.Multiagent.IsGiven)
        {
            next = await choices.Rosters.Resolve(next, stored.Multiagent, cancellationToken);
        }

        if (JsonSerializer.Serialize(next, WireJson.Default.Agent)
            == JsonSerializer.Serialize(stored, WireJson.Default.Agent))
        {
            return Body.Json(stored, WireJson.Default.Agent);
        }

        next = RosterRules.Repin(next with { Version = stored.Version + 1, UpdatedAt = clock.GetUtcNow() });
        return await store.Update(next, cancellationToken)
            ? Body.Json(next, WireJson.Default.Agent)
            : throw VersionConflict(id, stored.Version, stored.Version + 1);
    }

    private static async Task<IResult> Archive(
        string id, AgentStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        await Find(store, id, null, cancellationToken);
        await store.Archive(id, clock.GetUtcNow(), cancellationToken);
        return Body.Json(await Find(store, id, null, cancellationToken), WireJson.Default.Agent);
    }

    private static async Task<IResult> List(HttpRequest request, AgentStore store, CancellationToken cancellationToken)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var (from, to) = request.CreatedAt();
        var before = Cursor.Of(request, "agents", descending: true)?.Position;
        var query = new AgentQuery(before, limit, request.Flag("include_archived"), from, to);
        var agents = await store.List(query, cancellationToken);
        return Body.Json(Page(agents, limit, "agents", agent => agent.Id), WireJson.Default.PageAgent);
    }

    private static async Task<IResult> ListVersions(
        string id, HttpRequest request, AgentStore store, CancellationToken cancellationToken)
    {
        await Find(store, id, null, cancellationToken);
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var list = $"agent_versions:{id}";
        var before = Cursor.Of(request, list, descending: true)?.Number();
        var versions = await store.ListVersions(id, before, limit, cancellationToken);
        return Body.Json(
            Page(versions, limit, list, agent => agent.Version.ToString(CultureInfo.InvariantCulture)),
            WireJson.Default.PageAgent);
    }

    private static Page<Agent> Page(IReadOnlyList<Agent> found, int limit, string list, Func<Agent, string> position) =>
        new()
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit
                ? new Cursor(list, true, false, position(found[limit - 1])).ToString()
                : null,
        };

    private static async Task<Agent> Find(
        AgentStore store, string id, int? version, CancellationToken cancellationToken) =>
        await store.Find(id, version, cancellationToken)
            ?? throw ApiException.NotFound(version is null ? "Agent" : $"Version {version} of agent", id);

    private static Agent Apply(Agent stored, AgentUpdate update)
    {
        var model = update.Model.IsGiven
            ? update.Model.Value ?? throw ApiException.Invalid("model", "cannot be cleared.")
            : stored.Model;
        return stored with
        {
            Name = update.Name.IsGiven
                ? update.Name.Value ?? throw ApiException.Invalid("name", "cannot be cleared.")
                : stored.Name,

            // An effort left out stays with the model it was chosen for.
            Model = model with { Effort = model.Effort ?? (model.Id == stored.Model.Id ? stored.Model.Effort : null) },
            Description = update.Description.Or(stored.Description),
            System = update.System.Or(stored.System),
            Tools = update.Tools.Or(stored.Tools) ?? [],
            McpServers = update.McpServers.Or(stored.McpServers) ?? [],
            Skills = update.Skills.Or(stored.Skills) ?? [],
            Multiagent = update.Multiagent.IsGiven ? update.Multiagent.Value : stored.Multiagent,
            ExecutionIdentity = update.ExecutionIdentity.Or(stored.ExecutionIdentity) ?? new ExecutionIdentity(),
            Metadata = Metadata.Merge(stored.Metadata, update.Metadata),
        };
    }

    private static ApiException VersionConflict(string id, int seen, int current) => ApiException.Conflict(
        $"Agent '{id}' is at version {current}, not {seen}: get it again and repeat the change.");
}

/// <summary>What an agent names that is kept elsewhere.</summary>
public sealed record AgentChoices(SkillChoiceRules Skills, RosterRules Rosters);
