using System.Globalization;
using System.Text.Json;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Http;

namespace Tenon.Server.Sessions;

/// <summary>A session's events: send, list, stream (api A.5, D).</summary>
public static class SessionEventsApi
{
    private const int PageDefault = 1_000;
    private const int PageMax = 1_000;
    private const int PreviewTypesMax = 100;

    public static void MapSessionEvents(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/sessions/{id}/events", Send);
        routes.MapGet("/v1/sessions/{id}/events", ListEvents);
        routes.MapGet("/v1/sessions/{id}/events/stream", Stream);
    }

    private static async Task<IResult> Send(string id, HttpRequest request, IGrainFactory grains) =>
        SessionsApi.Owner(
            await SessionsApi.OwnerOf(id, grains).Send(await request.ReadJson(WireJson.Default.EventsSend)));

    internal static async Task<IResult> ListEvents(
        string id, HttpRequest request, SessionStore store, EventLog log, CancellationToken cancellationToken)
    {
        await SessionsApi.Find(store, id, cancellationToken);
        var descending = request.IsDescending("asc");
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var (from, to) = request.CreatedAt();
        var list = $"events:{id}";
        var after = Cursor.Of(request, list, descending)?.Number();
        var found = await log.List(new LogQuery
        {
            Session = id,
            Descending = descending,
            After = after,
            Limit = limit + 1,
            Types = request.Texts("types"),
            From = from,
            To = to,
        }, cancellationToken);
        var next = found.Count > limit
            ? new Cursor(list, descending, false, found[limit - 1].Seq.ToString(CultureInfo.InvariantCulture))
                .ToString()
            : null;
        return Body.Json(new Page<JsonElement>
        {
            Data = [.. found.Take(limit).Select(entry => JsonElement.Parse(entry.Body))],
            NextPage = next,
        }, WireJson.Default.PageJsonElement);
    }

    internal static async Task<IResult> Stream(
        string id, HttpRequest request, SessionStore store, EventLog log, Feed feed, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        var previews = request.Words("event_deltas", "agent.message", "agent.thinking");
        if (previews.Count > PreviewTypesMax)
        {
            throw ApiException.Invalid("event_deltas", $"at most {PreviewTypesMax} values are allowed.");
        }

        return new EventStream(log, feed, clock, id)
        {
            After = LastEventId(request),
            IsOver = record.ArchivedAt is not null,
            PreviewTypes = previews.ToHashSet(),
        };
    }

    private static long? LastEventId(HttpRequest request) => request.Headers["Last-Event-ID"].ToString() switch
    {
        "" => null,
        var text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) => seq,
        var text => throw ApiException.Invalid("Last-Event-ID", $"'{text}' is not an id of this stream."),
    };
}

/// <summary>A session's threads; there is one, the primary (api A.6).</summary>
public static class SessionThreadsApi
{
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
        request.Number("limit", 1, PageMax);
        if (Cursor.Of(request, $"threads:{id}", descending: false) is not null)
        {
            throw Cursor.Foreign();
        }

        var thread = record.ToThread(clock.GetUtcNow());
        return Body.Json(
            new Page<Wire.Sessions.SessionThread>
            {
                Data = statuses.Count == 0 || statuses.Contains(thread.Status) ? [thread] : [],
            },
            WireJson.Default.PageSessionThread);
    }

    private static async Task<IResult> Get(
        string id, string threadId, SessionStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var record = await Find(id, threadId, store, cancellationToken);
        return Body.Json(record.ToThread(clock.GetUtcNow()), WireJson.Default.SessionThread);
    }

    // The primary thread lives as long as its session, so only the session can end it.
    private static async Task<IResult> Archive(
        string id, string threadId, SessionStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var record = await Find(id, threadId, store, cancellationToken);
        if (record.Status is SessionStatus.Running or SessionStatus.Rescheduling)
        {
            throw ApiException.Invalid("",
                $"Thread '{threadId}' is {record.Status} and cannot be archived: interrupt it first.");
        }

        return record.ArchivedAt is not null
            ? Body.Json(record.ToThread(clock.GetUtcNow()), WireJson.Default.SessionThread)
            : throw ApiException.Invalid("", $"Thread '{threadId}' is the primary thread, which is archived with its "
                + $"session: POST /v1/sessions/{id}/archive.");
    }

    // The primary thread's stream is the session's own (api C.9).
    private static async Task<IResult> ListEvents(
        string id, string threadId, HttpRequest request, SessionStore store, EventLog log,
        CancellationToken cancellationToken)
    {
        await Find(id, threadId, store, cancellationToken);
        return await SessionEventsApi.ListEvents(id, request, store, log, cancellationToken);
    }

    private static async Task<IResult> Stream(
        string id, string threadId, HttpRequest request, SessionStore store, EventLog log, Feed feed,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        await Find(id, threadId, store, cancellationToken);
        return await SessionEventsApi.Stream(id, request, store, log, feed, clock, cancellationToken);
    }

    private static async Task<SessionRecord> Find(
        string id, string threadId, SessionStore store, CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        return record.ThreadId == threadId ? record : throw ApiException.NotFound("Thread", threadId);
    }
}
