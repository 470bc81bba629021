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
        routes.MapGet("/v1/sessions/{id}/events", List);
        routes.MapGet("/v1/sessions/{id}/events/stream", Stream);
    }

    private static async Task<IResult> Send(string id, HttpRequest request, IGrainFactory grains) =>
        SessionsApi.Owner(
            await SessionsApi.OwnerOf(id, grains).Send(await request.ReadJson(WireJson.Default.EventsSend)));

    private static async Task<IResult> List(
        string id, HttpRequest request, SessionStore store, EventLog log, CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        return await ListEvents(id, record.ThreadId, request, log, cancellationToken);
    }

    /// <summary>The events of one thread's stream; that of the primary thread is the session's.</summary>
    internal static async Task<IResult> ListEvents(
        string id, string threadId, HttpRequest request, EventLog log, CancellationToken cancellationToken)
    {
        var descending = request.IsDescending("asc");
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var (from, to) = request.CreatedAt();
        var list = $"events:{threadId}";
        var after = Cursor.Of(request, list, descending)?.Number();
        var found = await log.List(new LogQuery
        {
            Session = id,
            Thread = threadId,
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

    private static async Task<IResult> Stream(
        string id, HttpRequest request, SessionStore store, EventLog log, Feed feed, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        return new EventStream(log, feed, clock, id)
        {
            Thread = record.ThreadId,
            After = LastEventId(request),
            IsOver = record.ArchivedAt is not null,
            PreviewTypes = PreviewTypes(request),
        };
    }

    /// <summary>The types of events that a stream is to preview.</summary>
    /// <exception cref="ApiException">400: there is no such preview, or there are too many.</exception>
    internal static IReadOnlySet<string> PreviewTypes(HttpRequest request)
    {
        var previews = request.Words("event_deltas", "agent.message", "agent.thinking");
        if (previews.Count > PreviewTypesMax)
        {
            throw ApiException.Invalid("event_deltas", $"at most {PreviewTypesMax} values are allowed.");
        }

        return previews.ToHashSet();
    }

    /// <summary>Where a stream goes on; null for the present.</summary>
    /// <exception cref="ApiException">400: it is no place in a stream.</exception>
    internal static long? LastEventId(HttpRequest request) => request.Headers["Last-Event-ID"].ToString() switch
    {
        "" => null,
        var text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) => seq,
        var text => throw ApiException.Invalid("Last-Event-ID", $"'{text}' is not an id of this stream."),
    };
}
