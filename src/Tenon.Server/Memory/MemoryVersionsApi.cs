using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <summary>The versions of memories (api A.11).</summary>
public static class MemoryVersionsApi
{
    public static void MapMemoryVersions(this IEndpointRouteBuilder stores)
    {
        stores.MapGet("/memory_stores/{id}/memory_versions", List);
        stores.MapGet("/memory_stores/{id}/memory_versions/{versionId}", Get);
        stores.MapPost("/memory_stores/{id}/memory_versions/{versionId}/redact", Redact);
    }

    private static async Task<IResult> List(
        string id, HttpRequest request, MemoryStore store, CancellationToken cancellationToken)
    {
        var list = $"memory_versions:{id}";
        var withContent = MemoriesApi.WithContent(request, MemoriesApi.Basic);
        var limit = MemoriesApi.Limit(request, withContent);
        var (from, to) = request.CreatedAt();
        var operation = request.Text("operation");
        if (operation is not (null or MemoryStore.Created or MemoryStore.Modified or MemoryStore.Deleted))
        {
            throw ApiException.Invalid("operation", $"'{operation}' is not one of created, modified, deleted.");
        }

        var found = await store.Versions(new MemoryVersionQuery
        {
            StoreId = id,
            Limit = limit,
            WithContent = withContent,
            Before = Cursor.Of(request, list, descending: true)?.Position,
            MemoryId = request.Text("memory_id"),
            Operation = operation,
            From = from,
            To = to,
            Actors = Actors(request),
        }, cancellationToken) ?? throw MemoryRules.NoStore(id);
        return Body.Json(new Page<MemoryVersion>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit ? new Cursor(list, true, false, found[limit - 1].Id).ToString() : null,
        }, WireJson.Default.PageMemoryVersion);
    }

    private static async Task<IResult> Get(
        string id, string versionId, HttpRequest request, MemoryStore store, CancellationToken cancellationToken) =>
        Answer(await store.FindVersion(
            id, versionId, MemoriesApi.WithContent(request, MemoriesApi.Full), cancellationToken), versionId);

    private static async Task<IResult> Redact(
        string id, string versionId, HttpRequest request, MemoryStore store, ApiKeys keys,
        CancellationToken cancellationToken)
    {
        var (version, isHead) = await store.Redact(
            id, versionId, MemoriesApi.Actor(request, keys), cancellationToken);
        return isHead
            ? throw ApiException.Conflict($"Memory version '{versionId}' is what its memory has now. Write a new one, "
                + "or delete the memory, and redact it then.")
            : Answer(version, versionId);
    }

    private static IReadOnlyList<(string Type, string Id)> Actors(HttpRequest request) =>
    [
        .. new (string Name, string Type)[]
        {
            ("api_key_id", ApiActor.Kind), ("session_id", SessionActor.Kind),
            ("service_account_id", "service_account_actor"),
        }.Where(filter => request.Text(filter.Name) is not null)
        .Select(filter => (filter.Type, request.Text(filter.Name)!)),
    ];

    private static IResult Answer(MemoryVersion? version, string id) => version is null
        ? throw ApiException.NotFound("Memory version", id)
        : Body.Json(version, WireJson.Default.MemoryVersion);
}
