using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <summary>Memory stores (api A.11).</summary>
public static class MemoryStoresApi
{
    private const int PageDefault = 20;
    private const int PageMax = 100;
    private const string ListName = "memory_stores";

    private static readonly string[] Betas = ["agent-memory-2026-07-22", "managed-agents-2026-04-01"];

    public static void MapMemoryStores(this IEndpointRouteBuilder routes)
    {
        var stores = routes.MapGroup("/v1").AddEndpointFilter(RefuseTwoBetas);
        stores.MapPost("/memory_stores", Create);
        stores.MapGet("/memory_stores", List);
        stores.MapGet("/memory_stores/{id}", Get);
        stores.MapPost("/memory_stores/{id}", Update);
        stores.MapDelete("/memory_stores/{id}", Delete);
        stores.MapPost("/memory_stores/{id}/archive", Archive);
        stores.MapMemories();
        stores.MapMemoryVersions();
    }

    /// <summary>The two mean different things here, so that whoever sends both is told (api 0.2).</summary>
    private static ValueTask<object?> RefuseTwoBetas(
        EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var sent = context.HttpContext.Request.Headers["anthropic-beta"]
            .SelectMany(header => (header ?? "").Split(',', StringSplitOptions.TrimEntries)).ToHashSet();
        return sent.IsSupersetOf(Betas)
            ? throw ApiException.Invalid("", $"The anthropic-beta header has both {Betas[0]} and {Betas[1]}; "
                + "send one of them to memory stores.")
            : next(context);
    }

    private static async Task<IResult> Create(
        HttpRequest request, MemoryStore store, IdSource ids, TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.MemoryStoreCreate);
        var now = clock.GetUtcNow();
        var made = MemoryRules.Check(new MemoryStoreRecord
        {
            Id = ids.Next(IdPrefix.MemoryStore),
            Name = body.Name,
            Description = body.Description ?? "",
            Metadata = body.Metadata ?? new Dictionary<string, string>(),
            CreatedAt = now,
            UpdatedAt = now,
        });
        await store.Insert(made, cancellationToken);
        return Answer(made);
    }

    private static async Task<IResult> Get(string id, MemoryStore store, CancellationToken cancellationToken) =>
        Answer(await store.Find(id, cancellationToken) ?? throw MemoryRules.NoStore(id));

    private static async Task<IResult> Update(
        string id, HttpRequest request, MemoryStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.MemoryStoreUpdate);
        return Answer(await store.Save(id, stored => stored.ArchivedAt is null
            ? MemoryRules.Check(stored with
            {
                Name = body.Name ?? stored.Name,
                Description = body.Description ?? stored.Description,
                Metadata = Metadata.Merge(stored.Metadata, body.Metadata),
                UpdatedAt = clock.GetUtcNow(),
            })
            : throw MemoryRules.Refused(new MemoryRefusal.Archived(), id), cancellationToken)
            ?? throw MemoryRules.NoStore(id));
    }

    private static async Task<IResult> Delete(string id, MemoryStore store, CancellationToken cancellationToken) =>
        await store.Delete(id, cancellationToken)
            ? Body.Json(new Deleted { Id = id, Type = "memory_store_deleted" }, WireJson.Default.Deleted)
            : throw MemoryRules.NoStore(id);

    private static async Task<IResult> Archive(
        string id, MemoryStore store, TimeProvider clock, CancellationToken cancellationToken) =>
        Answer(await store.Save(id, stored => stored.ArchivedAt is null
            ? stored with { ArchivedAt = clock.GetUtcNow(), UpdatedAt = clock.GetUtcNow() }
            : stored, cancellationToken) ?? throw MemoryRules.NoStore(id));

    private static async Task<IResult> List(
        HttpRequest request, MemoryStore store, CancellationToken cancellationToken)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var (from, to) = request.CreatedAt();
        var found = await store.List(new MemoryStoreQuery
        {
            Limit = limit,
            Before = Cursor.Of(request, ListName, descending: true)?.Position,
            From = from,
            To = to,
            IncludeArchived = request.Flag("include_archived"),
        }, cancellationToken);
        return Body.Json(new Page<MemoryStoreRecord>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit ? new Cursor(ListName, true, false, found[limit - 1].Id).ToString() : null,
        }, WireJson.Default.PageMemoryStoreRecord);
    }

    private static IResult Answer(MemoryStoreRecord store) => Body.Json(store, WireJson.Default.MemoryStoreRecord);
}
