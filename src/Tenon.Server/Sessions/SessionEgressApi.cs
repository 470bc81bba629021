using Tenon.Server.Egress;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Environments;
using Tenon.Wire.Http;

namespace Tenon.Server.Sessions;

/// <summary>What a session's sandbox reached, or tried to: Tenon's own (docs/operations/egress.md).</summary>
public static class SessionEgressApi
{
    private const int PageDefault = 100;
    private const int PageMax = 1_000;

    public static void MapSessionEgress(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/v1/sessions/{id}/egress", List);

    private static async Task<IResult> List(
        string id, HttpRequest request, EgressStore store, EgressAudit audit, SessionStore sessions)
    {
        var cancellationToken = request.HttpContext.RequestAborted;
        if (!await sessions.Exists(id, cancellationToken))
        {
            throw ApiException.NotFound("Session", id);
        }

        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var list = $"egress:{id}";
        var before = Cursor.Of(request, list, descending: true)?.Position;
        await audit.Written(cancellationToken);
        var found = await store.List(id, before, limit, cancellationToken);
        var page = new Page<EgressRequest>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit ? new Cursor(list, true, false, found[limit - 1].Id).ToString() : null,
        };
        return Body.Json(page, WireJson.Default.PageEgressRequest);
    }
}
