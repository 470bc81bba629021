using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Files;
using Tenon.Wire.Http;

namespace Tenon.Server.Files;

/// <summary>Files (api A.12).</summary>
public static class FilesApi
{
    private const int PageDefault = 20;
    private const int PageMax = 1_000;

    /// <summary>Clients of this version walk the list by ids (api 0.4).</summary>
    private const string IdPagesVersion = "2023-06-01";

    public static void MapFiles(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/files", Upload)
            .WithMetadata(new BodyLimit(
                routes.ServiceProvider.GetRequiredService<FileStorage>().BytesMax + FormInput.BytesMax));
        routes.MapGet("/v1/files", List);
        routes.MapGet("/v1/files/{id}", Get);
        routes.MapGet("/v1/files/{id}/content", Download);
        routes.MapDelete("/v1/files/{id}", Delete);
    }

    private static async Task<IResult> Upload(
        HttpRequest request, FileStore store, IBlobStore blobs, FileStorage storage, IdSource ids, TimeProvider clock)
    {
        var cancelled = request.HttpContext.RequestAborted;

        // The list is in the order of ids, so the time of creation is that of the id.
        var (id, now) = (ids.Next(IdPrefix.File), clock.GetUtcNow());
        await using var blob = blobs.Begin(id);
        var input = await UploadInput.Read(request.ContentType, request.Body, blob.Stream, storage.BytesMax, cancelled);
        var mimeType = MediaTypes.Of(input.ContentType, FileRules.LastComponent(input.Filename));
        var file = new FileRecord
        {
            Id = id,
            Filename = FileRules.Filename(input.Filename, mimeType),
            MimeType = mimeType,
            SizeBytes = input.SizeBytes,
            CreatedAt = now,
            ExpiresAt = now + input.Expiry,
        };
        await store.Insert(file, blob, cancelled);
        return Body.Json(file, WireJson.Default.FileRecord);
    }

    private static async Task<IResult> Get(string id, FileStore store, CancellationToken cancellationToken) =>
        Body.Json((await Find(store, id, cancellationToken)).Record, WireJson.Default.FileRecord);

    private static async Task<IResult> Download(
        string id, HttpResponse response, FileStore store, IBlobStore blobs, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        var (file, blob) = await Find(store, id, cancellationToken);
        if (FileRules.IsExpired(file, clock.GetUtcNow()))
        {
            throw FileRules.Expired(id);
        }

        if (!file.Downloadable)
        {
            throw ApiException.Invalid("",
                $"File '{id}' was uploaded, and only files that an agent made can be downloaded.",
                "file_not_downloadable");
        }

        var content = await blobs.Open(blob, cancellationToken) ?? throw ApiException.NotFound("File", id);

        // What an agent wrote must not run as a page of this server.
        response.Headers.XContentTypeOptions = "nosniff";
        response.ContentLength = file.SizeBytes;
        return TypedResults.Stream(content, file.MimeType, file.Filename);
    }

    private static async Task<IResult> Delete(string id, FileStore store, CancellationToken cancellationToken) =>
        await store.Delete(id, cancellationToken)
            ? Body.Json(new Deleted { Id = id, Type = "file_deleted" }, WireJson.Default.Deleted)
            : throw ApiException.NotFound("File", id);

    private static async Task<IResult> List(
        HttpRequest request, FileStore store, ScopeRefresh refresh, CancellationToken cancellationToken)
    {
        var scope = request.Text("scope_id");
        if (scope is not null)
        {
            await refresh(scope, cancellationToken);
        }

        if (request.Headers["anthropic-version"] == IdPagesVersion)
        {
            return Body.Json(await IdPage(request, scope, store, cancellationToken), WireJson.Default.IdPageFileRecord);
        }

        var page = request.Texts("ids") is { Count: > 0 } ids
            ? await PageOf(ids, request, scope, store, cancellationToken)
            : await NextPage(request, scope, store, cancellationToken);
        return Body.Json(page, WireJson.Default.PageFileRecord);
    }

    private static async Task<Page<FileRecord>> NextPage(
        HttpRequest request, string? scope, FileStore store, CancellationToken cancellationToken)
    {
        var list = scope is null ? "files" : $"files:{scope}";
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var after = Cursor.Of(request, list, descending: true)?.Position;
        var found = await store.List(
            new FileQuery { Limit = limit, ScopeId = scope, OlderThan = after }, cancellationToken);
        return new Page<FileRecord>
        {
            Data = [.. found.Take(limit)],
            NextPage = found.Count > limit ? new Cursor(list, true, false, found[limit - 1].Id).ToString() : null,
        };
    }

    private static async Task<Page<FileRecord>> PageOf(
        IReadOnlyList<string> ids, HttpRequest request, string? scope, FileStore store,
        CancellationToken cancellationToken)
    {
        var wanted = ids.ToHashSet();
        if (wanted.Count > FileRules.IdsMax)
        {
            throw ApiException.Invalid("ids", $"at most {FileRules.IdsMax} are allowed.");
        }

        if (request.Text("page") is not null || request.Text("limit") is not null)
        {
            throw ApiException.Invalid("ids", "cannot be combined with page or limit.");
        }

        var found = await store.Find(wanted, cancellationToken);
        return new Page<FileRecord>
        {
            Data = [.. found.Select(file => file.Record).Where(file => scope is null || file.Scope?.Id == scope)],
        };
    }

    private static async Task<IdPage<FileRecord>> IdPage(
        HttpRequest request, string? scope, FileStore store, CancellationToken cancellationToken)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var (after, before) = (request.Text("after_id"), request.Text("before_id"));
        if (after is not null && before is not null)
        {
            throw ApiException.Invalid("before_id", "cannot be combined with after_id.");
        }

        var found = await store.List(
            new FileQuery { Limit = limit, ScopeId = scope, OlderThan = after, NewerThan = before }, cancellationToken);
        var page = found.Take(limit).ToList();
        if (before is not null)
        {
            page.Reverse();
        }

        return new IdPage<FileRecord>
        {
            Data = page,
            HasMore = found.Count > limit,
            FirstId = page.Count > 0 ? page[0].Id : null,
            LastId = page.Count > 0 ? page[^1].Id : null,
        };
    }

    private static async Task<StoredFile> Find(FileStore store, string id, CancellationToken cancellationToken) =>
        await store.Find(id, cancellationToken) ?? throw ApiException.NotFound("File", id);
}

/// <summary>Looks for files that have come to a scope since it was last listed.</summary>
public delegate Task ScopeRefresh(string scopeId, CancellationToken cancellationToken);
