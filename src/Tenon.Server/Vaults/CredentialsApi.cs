using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Vaults;

namespace Tenon.Server.Vaults;

/// <summary>The credentials of a vault (api A.8). No answer has a secret.</summary>
public static class CredentialsApi
{
    private const int PageDefault = 20;
    private const int PageMax = 100;

    /// <summary>How often an update reads again what another has changed meanwhile.</summary>
    private const int UpdateTries = 5;

    public static void MapCredentials(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/vaults/{vaultId}/credentials", Create);
        routes.MapGet("/v1/vaults/{vaultId}/credentials", List);
        routes.MapGet("/v1/vaults/{vaultId}/credentials/{id}", Get);
        routes.MapPost("/v1/vaults/{vaultId}/credentials/{id}", Update);
        routes.MapDelete("/v1/vaults/{vaultId}/credentials/{id}", Delete);
        routes.MapPost("/v1/vaults/{vaultId}/credentials/{id}/archive", Archive);
        routes.MapPost("/v1/vaults/{vaultId}/credentials/{id}/mcp_oauth_validate", Validate);
    }

    private static async Task<IResult> Create(
        string vaultId, HttpRequest request, VaultStore vaults, CredentialStore store, IsSandboxVariable isTaken,
        IdSource ids, TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.CredentialCreate);
        var now = clock.GetUtcNow();
        var (auth, secrets) = CredentialRules.Create(body.Auth, now, isTaken);
        var credential = new Credential
        {
            Id = ids.Next(IdPrefix.Credential),
            VaultId = vaultId,
            DisplayName = CredentialRules.CheckName(body.DisplayName),
            Auth = auth,
            Metadata = Metadata.Check(body.Metadata),
            CreatedAt = now,
            UpdatedAt = now,
        };
        switch (await store.Insert(credential, secrets, cancellationToken))
        {
            case CredentialInsert.Done:
                return Answer(credential);
            case CredentialInsert.Duplicate:
                throw ApiException.Conflict($"Vault '{vaultId}' has an active credential for this already: update it, "
                    + "or archive it first.");
            case CredentialInsert.Full:
                throw ApiException.Invalid(
                    "", $"Vault '{vaultId}' has {CredentialRules.PerVaultMax} active credentials, which is the most.");
            default:
                await VaultsApi.Find(vaults, vaultId, cancellationToken);
                throw VaultsApi.Archived(vaultId);
        }
    }

    private static async Task<IResult> Get(
        string vaultId, string id, CredentialStore store, CancellationToken cancellationToken) =>
        Answer((await Find(store, vaultId, id, cancellationToken)).Record);

    private static async Task<IResult> Update(
        string vaultId, string id, HttpRequest request, CredentialStore store, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.CredentialUpdate);
        for (var i = 0; i < UpdateTries; i++)
        {
            var stored = await Find(store, vaultId, id, cancellationToken);
            if (stored.Sealed is null)
            {
                throw ApiException.Invalid("", $"Credential '{id}' is archived and cannot change.");
            }

            var now = clock.GetUtcNow();
            var (auth, secrets) = (stored.Record.Auth, store.Open(stored));
            if (body.Auth is not null)
            {
                (auth, secrets) = CredentialRules.Update(auth, secrets, body.Auth, now);
            }

            var next = stored.Record with
            {
                Auth = auth,
                DisplayName = CredentialRules.CheckName(body.DisplayName.Or(stored.Record.DisplayName)),
                Metadata = Metadata.Merge(stored.Record.Metadata, body.Metadata),
                UpdatedAt = now,
            };
            if (await store.Update(stored, next, secrets, cancellationToken))
            {
                return Answer(next);
            }
        }

        throw ApiException.Conflict($"Credential '{id}' is being changed by others; try again.");
    }

    private static async Task<IResult> Delete(
        string vaultId, string id, CredentialStore store, CancellationToken cancellationToken) =>
        await store.Delete(vaultId, id, cancellationToken)
            ? Body.Json(new Deleted { Id = id, Type = "vault_credential_deleted" }, WireJson.Default.Deleted)
            : throw NotFound(id);

    private static async Task<IResult> Archive(
        string vaultId, string id, CredentialStore store, TimeProvider clock, CancellationToken cancellationToken)
    {
        await Find(store, vaultId, id, cancellationToken);
        await store.Archive(id, clock.GetUtcNow(), cancellationToken);
        return Answer((await Find(store, vaultId, id, cancellationToken)).Record);
    }

    private static async Task<IResult> Validate(
        string vaultId, string id, CredentialStore store, CredentialCheck check, CancellationToken cancellationToken)
    {
        var stored = await Find(store, vaultId, id, cancellationToken);
        return stored.Record.Auth is VariableCredential
            ? throw ApiException.Invalid("", $"Credential '{id}' is of no MCP server, so none can be asked about it.")
            : Body.Json(await check.Run(stored, cancellationToken), WireJson.Default.CredentialValidation);
    }

    private static async Task<IResult> List(
        string vaultId, HttpRequest request, VaultStore vaults, CredentialStore store,
        CancellationToken cancellationToken)
    {
        await VaultsApi.Find(vaults, vaultId, cancellationToken);
        var list = $"credentials:{vaultId}";
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var before = Cursor.Of(request, list, descending: true)?.Position;
        var found = await store.List(vaultId, before, limit, request.Flag("include_archived"), cancellationToken);
        return Body.Json(new Page<Credential>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit ? new Cursor(list, true, false, found[limit - 1].Id).ToString() : null,
        }, WireJson.Default.PageCredential);
    }

    private static async Task<StoredCredential> Find(
        CredentialStore store, string vaultId, string id, CancellationToken cancellationToken) =>
        await store.Find(vaultId, id, cancellationToken) ?? throw NotFound(id);

    private static ApiException NotFound(string id) => ApiException.NotFound("Credential", id);

    private static IResult Answer(Credential credential) => Body.Json(credential, WireJson.Default.Credential);
}
