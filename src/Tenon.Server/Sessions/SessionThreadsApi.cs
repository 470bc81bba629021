using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>A session's threads: the primary one, and those in which other agents work (api A.6).</summary>
public static class SessionThreadsApi
{
    private const int PageDefault = 1_000;
    private const int PageMax = 1_000;

    public static void MapSessionThreads(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/sessions/{id}/threads", ListThreads);
        routes.MapGet("/v1/sessions/{id}/threads/{threadId}", Get);
        routes.MapPost("/v1/sessions/{id}/threads/{threadId}/archive", Archive);
        routes.MapGet("/v1/sessions/{id}/threads/{threadId}/events", ListEvents);
        routes.MapGet("/v1/sessions/{id}/threads/{threadId}/stream", Stream);
    }

    private static async Task<IResult> ListThreads(
        string id, HttpRequest request, SessionStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        var statuses = request.Words("statuses", SessionStatus.Idle, SessionStatus.Running,
            SessionStatus.Rescheduling, SessionStatus.Terminated);
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var list = $"threads:{id}";
        var after = Cursor.Of(request, list, descending: false)?.Position;
        var threads = (await store.ListThreads(id, after, limit + 1, cancellationToken))
            .Select(thread => ToWire(thread, record, clock)).ToList();
        if (threads.Count == 0 && after is null)
        {
            threads.Add(record.ToThread(clock.GetUtcNow()));
        }

        // Threads are few, so a page that has lost some to the filter is no matter.
        var page = threads.Take(limit).ToList();
        return Body.Json(
            new Page<SessionThread>
            {
                Data = [.. page.Where(thread => statuses.Count == 0 || statuses.Contains(thread.Status))],
                NextPage = threads.Count > limit ? new Cursor(list, false, false, page[^1].Id).ToString() : null,
            },
            WireJson.Default.PageSessionThread);
    }

    private static async Task<IResult> Get(
        string id, string threadId, SessionStore store, TimeProvider clock, CancellationToken cancellationToken) =>
        Body.Json(await Find(id, threadId, store, clock, cancellationToken), WireJson.Default.SessionThread);

    private static async Task<IResult> Archive(
        string id, string threadId, SessionStore store, TimeProvider clock, IGrainFactory grains,
        CancellationToken cancellationToken)
    {
        await Find(id, threadId, store, clock, cancellationToken);
        return SessionsApi.Owner(await SessionsApi.OwnerOf(id, grains).ArchiveThread(threadId));
    }

    private static async Task<IResult> ListEvents(
        string id, string threadId, HttpRequest request, SessionStore store, EventLog log, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        await Find(id, threadId, store, clock, cancellationToken);
        return await SessionEventsApi.ListEvents(id, threadId, request, log, cancellationToken);
    }

    private static async Task<IResult> Stream(
        string id, string threadId, HttpRequest request, SessionStore store, EventLog log, Feed feed,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var thread = await Find(id, threadId, store, clock, cancellationToken);
        return new EventStream(log, feed, clock, id)
        {
            Thread = threadId,
            EndsWithThread = thread.ParentThreadId is not null,
            After = SessionEventsApi.LastEventId(request),
            IsOver = thread.ArchivedAt is not null,
            PreviewTypes = SessionEventsApi.PreviewTypes(request),
        };
    }

    private static async Task<SessionThread> Find(
        string id, string threadId, SessionStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        return await store.FindThread(id, threadId, cancellationToken) is { } thread ? ToWire(thread, record, clock)
            : record.ThreadId == threadId ? record.ToThread(clock.GetUtcNow())
            : throw ApiException.NotFound("Thread", threadId);
    }

    private static SessionThread ToWire(ThreadRecord thread, SessionRecord session, TimeProvider clock) =>
        thread.ToWire(SavedAgent.From(session.Definition.Agent), clock.GetUtcNow());
}
