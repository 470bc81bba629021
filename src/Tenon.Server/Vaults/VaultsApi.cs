using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>Vaults (api A.8).</summary>
public static class VaultsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 100;

    public static void MapVaults(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/vaults", Create);
        routes.MapGet("/v1/vaults", List);
        routes.MapGet("/v1/vaults/{id}", Get);
        routes.MapPost("/v1/vaults/{id}", Update);
        routes.MapDelete("/v1/vaults/{id}", Delete);
        routes.MapPost("/v1/vaults/{id}/archive", Archive);
        routes.MapCredentials();
    }

    internal static async Task<Vault> Find(VaultStore store, string id, CancellationToken cancellationToken) =>
        await store.Find(id, cancellationToken) ?? throw ApiException.NotFound("Vault", id);

    internal static ApiException Archived(string id) =>
        ApiException.Invalid("", $"Vault '{id}' is archived and cannot change.");

    private static async Task<IResult> Create(
        HttpRequest request, VaultStore store, IdSource ids, TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.VaultCreate);
        var now = clock.GetUtcNow();
        var vault = new Vault
        {
            Id = ids.Next(IdPrefix.Vault),
            DisplayName = CredentialRules.CheckName(body.DisplayName)!,
            Metadata = Metadata.Check(body.Metadata),
            CreatedAt = now,
            UpdatedAt = now,
        };
        await store.Insert(vault, cancellationToken);
        return Answer(vault);
    }

    private static async Task<IResult> Get(string id, VaultStore store, CancellationToken cancellationToken) =>
        Answer(await Find(store, id, cancellationToken));

    private static async Task<IResult> Update(
        string id, HttpRequest request, VaultStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.VaultUpdate);
        var stored = await Find(store, id, cancellationToken);
        var next = stored with
        {
            DisplayName = CredentialRules.CheckName(body.DisplayName) ?? stored.DisplayName,
            Metadata = Metadata.Merge(stored.Metadata, body.Metadata),
            UpdatedAt = clock.GetUtcNow(),
        };
        return stored.ArchivedAt is null && await store.Update(next, cancellationToken) ? Answer(next)
            : throw Archived(id);
    }

    private static async Task<IResult> Delete(string id, VaultStore store, CancellationToken cancellationToken) =>
        await store.Delete(id, cancellationToken)
            ? Body.Json(new Deleted { Id = id, Type = "vault_deleted" }, WireJson.Default.Deleted)
            : throw ApiException.NotFound("Vault", id);

    private static async Task<IResult> Archive(
        string id, VaultStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        await store.Archive(id, clock.GetUtcNow(), cancellationToken);
        return Answer(await Find(store, id, cancellationToken));
    }

    private static async Task<IResult> List(
        HttpRequest request, VaultStore store, CancellationToken cancellationToken)
    {
        const string Vaults = "vaults";
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var before = Cursor.Of(request, Vaults, descending: true)?.Position;
        var found = await store.List(before, limit, request.Flag("include_archived"), cancellationToken);
        return Body.Json(new Page<Vault>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit ? new Cursor(Vaults, true, false, found[limit - 1].Id).ToString() : null,
        }, WireJson.Default.PageVault);
    }

    private static IResult Answer(Vault vault) => Body.Json(vault, WireJson.Default.Vault);
}
