using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>A session's resources (api A.7).</summary>
public static class SessionResourcesApi
{
    private const int PageMax = 1_000;

    public static void MapSessionResources(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/sessions/{id}/resources", List);
        routes.MapPost("/v1/sessions/{id}/resources", Add);
        routes.MapGet("/v1/sessions/{id}/resources/{resourceId}", Get);
        routes.MapPost("/v1/sessions/{id}/resources/{resourceId}", Update);
        routes.MapDelete("/v1/sessions/{id}/resources/{resourceId}", Delete);
    }

    private static async Task<IResult> Add(string id, HttpRequest request, IGrainFactory grains) =>
        SessionsApi.Owner(
            await SessionsApi.OwnerOf(id, grains).AddResource(await request.ReadJson(WireJson.Default.ResourceCreate)));

    private static async Task<IResult> Delete(string id, string resourceId, IGrainFactory grains) =>
        SessionsApi.Owner(await SessionsApi.OwnerOf(id, grains).DeleteResource(resourceId));

    private static async Task<IResult> Get(
        string id, string resourceId, SessionStore store, CancellationToken cancellationToken) =>
        Body.Json(await Find(id, resourceId, store, cancellationToken), WireJson.Default.SessionResource);

    private static async Task<IResult> Update(
        string id, string resourceId, HttpRequest request, IGrainFactory grains) =>
        SessionsApi.Owner(await SessionsApi.OwnerOf(id, grains).UpdateResource(
            resourceId, await request.ReadJson(WireJson.Default.ResourceUpdate)));

    private static async Task<IResult> List(
        string id, HttpRequest request, SessionStore store, CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        var list = $"resources:{id}";
        var limit = request.Number("limit", 1, PageMax) ?? PageMax;
        var after = Cursor.Of(request, list, descending: false)?.Position;
        var rest = record.Definition.AllResources.OrderBy(Place, StringComparer.Ordinal)
            .Where(resource => after is null || string.CompareOrdinal(Place(resource), after) > 0).ToList();
        var page = new Page<SessionResource>
        {
            Data = [.. rest.Take(limit)],
            NextPage = rest.Count > limit ? new Cursor(list, false, false, Place(rest[limit - 1])).ToString() : null,
        };
        return Body.Json(page, WireJson.Default.PageSessionResource);
    }

    private static async Task<SessionResource> Find(
        string id, string resourceId, SessionStore store, CancellationToken cancellationToken)
    {
        var record = await SessionsApi.Find(store, id, cancellationToken);
        return record.Definition.AllResources.FirstOrDefault(resource => IdOf(resource) == resourceId)
            ?? throw ApiException.NotFound("Resource", resourceId);
    }

    private static string? IdOf(SessionResource resource) => resource switch
    {
        FileResource file => file.Id,
        RepositoryResource repository => repository.Id,
        _ => null,
    };

    // A memory store is attached once, and has no other name here.
    private static string Place(SessionResource resource) =>
        IdOf(resource) ?? ((MemoryResource)resource).MemoryStoreId;
}
