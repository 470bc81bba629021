using System.Globalization;
using System.Text.Json;
using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Memory;
using Tenon.Server.Repositories;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>Sessions (api A.4). Reads come from the store; every change goes through the session's owner.</summary>
public static class SessionsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 100;
    private const string List = "sessions";

    public static void MapSessions(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/sessions", Create);
        routes.MapGet("/v1/sessions", ListSessions);
        routes.MapGet("/v1/sessions/{id}", Get);
        routes.MapPost("/v1/sessions/{id}", Update);
        routes.MapDelete("/v1/sessions/{id}", Delete);
        routes.MapPost("/v1/sessions/{id}/archive", Archive);
        routes.MapPost("/v1/sessions/{id}/kill", Kill);
        routes.MapPost("/v1/sessions/{id}/fork", Fork);
        routes.MapSessionEvents();
        routes.MapSessionThreads();
        routes.MapSessionResources();
    }

    private static async Task<IResult> Create(
        HttpRequest request, SessionRules rules, SessionStarter starter, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.SessionCreate);
        var definition = await rules.Check(body, cancellationToken);
        var initialEvents = await rules.InitialEvents(body, cancellationToken);
        var record = await starter.Start(body.EnvironmentId, definition, initialEvents, body.Resources ?? []);
        return Body.Json(record.ToWire(clock.GetUtcNow()), WireJson.Default.Session);
    }

    private static async Task<IResult> Get(
        string id, SessionStore store, TimeProvider clock, CancellationToken cancellationToken) =>
        Body.Json((await Find(store, id, cancellationToken)).ToWire(clock.GetUtcNow()), WireJson.Default.Session);

    private static async Task<IResult> Update(string id, HttpRequest request, IGrainFactory grains) =>
        Owner(await OwnerOf(id, grains).Update(await request.ReadJson(WireJson.Default.SessionUpdate)));

    private static async Task<IResult> Archive(string id, IGrainFactory grains) =>
        Owner(await OwnerOf(id, grains).Archive());

    /// <summary>Tenon's own: ends a session that must not go on, whatever it does, within a second.</summary>
    private static async Task<IResult> Kill(string id, IGrainFactory grains) =>
        Owner(await grains.GetGrain<ISessionGrain>(id).Kill());

    /// <summary>Tenon's own: a new session with this one's history and files up to an event.</summary>
    private static async Task<IResult> Fork(
        string id, HttpRequest request, SessionStore store, SessionForks forks, Prices prices, IGrainFactory grains,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var source = await Find(store, id, cancellationToken);
        var body = await request.Read(WireJson.Default.SessionFork);
        var definition = ForkRules.Check(source.Definition, body, prices);

        // What the last turn has left in the workspace is part of the history that ends with it.
        await OwnerOf(id, grains).Settle();
        var cut = await forks.FindCut(id, body.EventId, cancellationToken)
            ?? throw ForkRules.NoEvent(id, body.EventId);
        if (cut.Seq > SessionForks.EntriesMax)
        {
            throw ForkRules.TooLong();
        }

        try
        {
            var record = await forks.Make(source, definition, cut, cancellationToken);
            return Body.Json(record.ToWire(clock.GetUtcNow()), WireJson.Default.Session);
        }
        catch (SandboxException exception)
        {
            // The disk's word is for whoever asked: nothing was made, and later the same may work.
            throw ForkRules.NoFiles(exception.Message);
        }
    }

    private static async Task<IResult> Delete(string id, IGrainFactory grains) =>
        Owner(await OwnerOf(id, grains).Delete());

    private static async Task<IResult> ListSessions(
        HttpRequest request, SessionStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var descending = request.IsDescending("desc");
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var cursor = Cursor.Of(request, List, descending);
        var (from, to) = request.CreatedAt();
        var backwards = cursor?.Backwards == true;
        var place = cursor is null ? null : SessionPlace.Of(cursor);
        if (place is not null && (place.CreatedAt < from || place.CreatedAt > to))
        {
            throw ApiException.Invalid("page", "the created_at filter excludes the place of this cursor.");
        }

        var agentId = request.Text("agent_id");
        var agentVersion = request.Number("agent_version", 1, int.MaxValue);
        if (agentVersion is not null && agentId is null)
        {
            throw ApiException.Invalid("agent_version", "needs agent_id.");
        }

        var found = await store.List(new SessionQuery
        {
            // A page backwards is a page in the other order, turned round.
            Descending = descending != backwards,
            After = place?.Id,
            Limit = limit,
            IncludeArchived = request.Flag("include_archived"),
            AgentId = agentId,
            AgentVersion = agentVersion,
            From = from,
            To = to,
            MemoryStoreId = request.Text("memory_store_id"),
            Statuses = request.Words("statuses", SessionStatus.Idle, SessionStatus.Running,
                SessionStatus.Rescheduling, SessionStatus.Terminated),
        }, cancellationToken);
        var page = found.Take(limit).ToList();
        if (backwards)
        {
            page.Reverse();
        }

        var more = found.Count > limit;
        return Body.Json(new TwoWayPage<Session>
        {
            Data = page.ConvertAll(record => record.ToWire(clock.GetUtcNow())),
            NextPage = page.Count > 0 && (more || backwards) ? At(page[^1], false) : null,
            PrevPage = page.Count > 0 && (backwards ? more : cursor is not null) ? At(page[0], true) : null,
        }, WireJson.Default.TwoWayPageSession);

        string At(SessionRecord record, bool back) =>
            new Cursor(List, descending, back, SessionPlace.Of(record).ToString()).ToString();
    }

    internal static async Task<SessionRecord> Find(
        SessionStore store, string id, CancellationToken cancellationToken) =>
        await store.Find(id, cancellationToken) ?? throw ApiException.NotFound("Session", id);

    /// <summary>
    /// The session's owner. Any text can stand in a path: what no session is named gets no owner, not even for as
    /// long as it takes to find no session there.
    /// </summary>
    internal static ISessionGrain OwnerOf(string id, IGrainFactory grains) =>
        id.StartsWith(IdPrefix.Session, StringComparison.Ordinal)
            ? grains.GetGrain<ISessionGrain>(id)
            : throw ApiException.NotFound("Session", id);

    internal static IResult Owner(Answer answer) => TypedResults.Text(answer.OrThrow(), "application/json");
}

/// <summary>
/// Where a page of sessions ends. The time stands beside the id because the session may be deleted before the cursor
/// comes back, and must then still be compared with the filter (api 0.4).
/// </summary>
internal sealed record SessionPlace(string Id, long CreatedAt)
{
    public override string ToString() => $"{Id}@{CreatedAt.ToString(CultureInfo.InvariantCulture)}";

    public static SessionPlace Of(SessionRecord record) => new(record.Id, record.CreatedAt.ToMicroseconds());

    /// <exception cref="ApiException">400: the cursor was not made here.</exception>
    public static SessionPlace Of(Cursor cursor) => cursor.Position.Split('@') is [var id, var time]
        ? new SessionPlace(id, (cursor with { Position = time }).Number())
        : throw Cursor.Foreign();
}

/// <summary>
/// Writes a new session, which has no owner yet, and wakes the owner when there is work from the start.
/// </summary>
public sealed class SessionStarter(
    EventLog log, IGrainFactory grains, SessionFileRules files, SessionRepositories repositories,
    SessionSkillRules skills, MemoryStore memories, SandboxStarts sandboxes, IdSource ids, TimeProvider clock,
    Prices prices)
{
    public async Task<SessionRecord> Start(
        string environmentId, SessionDefinition definition, IReadOnlyList<Wire.Events.SessionEvent> initialEvents,
        IReadOnlyList<ResourceCreate> resources)
    {
        var now = clock.GetUtcNow();
        var id = ids.Next(IdPrefix.Session);

        // What the session has is kept before it is there: without it, that is swept at the next start.
        await skills.Keep(id, definition.Skills, CancellationToken.None);
        var asked = resources.Index()
            .Where(resource => resource.Item.Type is not (RepositoryRules.Kind or MemoryResourceRules.Kind)).ToList();
        var cloned = repositories.Check(resources);
        definition = definition with
        {
            Resources = await files.Attach(
                id, asked.ConvertAll(resource => resource.Item), [],
                (i, field) => $"resources.{asked[i].Index}.{field}", CancellationToken.None),
            Repositories = await repositories.Attach(id, cloned, CancellationToken.None),
        };
        await memories.Attach(
            id, definition.Memories.Select(memory => memory.MemoryStoreId), CancellationToken.None);
        var record = new SessionRecord
        {
            Id = id,
            ThreadId = ids.Next(IdPrefix.Thread),
            CreatedAt = now,
            EnvironmentId = environmentId,
            Status = SessionStatus.Idle,
            Definition = definition,
            State = new SessionState { SavedAt = now },
        };
        var session = new SessionLog(log, record.Id, record.ThreadId, ids, clock)
        {
            Agent = () => definition.Agent,
            Prices = prices,
            Budget = definition.Budget,
            Row = (history, at, _) => (record = record.After(history, at, prices)).ToRow(definition.ToJson()),
        };
        IReadOnlyList<object> entries = initialEvents.Count == 0
            ? []
            : [.. initialEvents.SelectMany(Begins), .. Turn.Running(session.Primary)];
        await session.Append(session.Primary, entries, SaveKind.Insert);
        sandboxes.Ask(record);
        if (entries.Count > 0)
        {
            await grains.GetGrain<ISessionGrain>(record.Id).Wake();
        }

        return record;

        IEnumerable<object> Begins(Wire.Events.SessionEvent @event) =>
            @event is Wire.Events.UserDefineOutcome outcome
                ? OutcomeRules.Begun(session, outcome, ids) : [session.Stamp(@event)];
    }
}
