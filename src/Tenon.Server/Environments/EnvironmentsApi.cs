using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Environments;
using Tenon.Wire.Http;

namespace Tenon.Server.Environments;

/// <summary>Environments (api A.2).</summary>
public static class EnvironmentsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 100;

    public static void MapEnvironments(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/environments", Create);
        routes.MapGet("/v1/environments", List);
        routes.MapGet("/v1/environments/{id}", Get);
        routes.MapPost("/v1/environments/{id}", Update);
        routes.MapDelete("/v1/environments/{id}", Delete);
        routes.MapPost("/v1/environments/{id}/archive", Archive);
    }

    private static async Task<IResult> Create(
        HttpRequest request, EnvironmentStore store, IdSource ids, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.EnvironmentCreate);
        var now = clock.GetUtcNow();
        var environment = EnvironmentRules.Check(new EnvironmentRecord
        {
            Id = ids.Next(IdPrefix.Environment),
            Name = body.Name,
            Description = body.Description,
            Scope = body.Scope ?? "organization",
            Config = body.Config ?? new EnvironmentConfig { Type = "cloud" },
            Metadata = body.Metadata ?? new Dictionary<string, string>(),
            CreatedAt = now,
            UpdatedAt = now,
        });
        await store.Insert(environment, cancellationToken);
        return Answer(environment);
    }

    private static async Task<IResult> Get(string id, EnvironmentStore store, CancellationToken cancellationToken) =>
        Answer(await Find(store, id, cancellationToken));

    private static async Task<IResult> Update(
        string id, HttpRequest request, EnvironmentStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.EnvironmentUpdate);
        var stored = await Find(store, id, cancellationToken);
        if (stored.ArchivedAt is not null)
        {
            throw ApiException.Invalid(
                "", $"Environment '{id}' is archived and cannot change.", "environment_archived");
        }

        var next = EnvironmentRules.Check(stored with
        {
            Name = body.Name.IsGiven
                ? body.Name.Value ?? throw ApiException.Invalid("name", "cannot be cleared.")
                : stored.Name,
            Description = body.Description.Or(stored.Description),
            Config = EnvironmentRules.Merge(stored.Config, body.Config),
            Metadata = Metadata.Merge(stored.Metadata, body.Metadata, emptyDeletes: true),
            UpdatedAt = clock.GetUtcNow(),
        });
        await store.Save(next, cancellationToken);
        return Answer(next);
    }

    private static async Task<IResult> Delete(string id, EnvironmentStore store, CancellationToken cancellationToken) =>
        await store.Delete(id, cancellationToken)
            ? Body.Json(new Deleted { Id = id, Type = "environment_deleted" }, WireJson.Default.Deleted)
            : throw NotFound(id);

    private static async Task<IResult> Archive(
        string id, EnvironmentStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var stored = await Find(store, id, cancellationToken);
        if (stored.ArchivedAt is null)
        {
            var now = clock.GetUtcNow();
            stored = stored with { ArchivedAt = now, UpdatedAt = now };
            await store.Save(stored, cancellationToken);
        }

        return Answer(stored);
    }

    private static async Task<IResult> List(
        HttpRequest request, EnvironmentStore store, CancellationToken cancellationToken)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var before = Cursor.Of(request, "environments", descending: true)?.Position;
        var found = await store.List(before, limit, request.Flag("include_archived"), cancellationToken);
        var page = new Page<EnvironmentRecord>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit
                ? new Cursor("environments", true, false, found[limit - 1].Id).ToString()
                : null,
        };
        return Body.Json(page, WireJson.Default.PageEnvironmentRecord);
    }

    private static async Task<EnvironmentRecord> Find(
        EnvironmentStore store, string id, CancellationToken cancellationToken) =>
        await store.Find(id, cancellationToken) ?? throw NotFound(id);

    internal static ApiException NotFound(string id) => new(
        new Refusal(404, ErrorTypes.NotFound, $"Environment '{id}' was not found.", "environment_not_found"));

    private static IResult Answer(EnvironmentRecord environment) =>
        Body.Json(environment, WireJson.Default.EnvironmentRecord);
}
