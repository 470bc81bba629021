using System.Text;
using Tenon.Server.Http;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <summary>Memories (api A.11).</summary>
public static class MemoriesApi
{
    public const string Full = "full";
    public const string Basic = "basic";

    private const int PageDefault = 20;
    private const int PageMax = 100;

    /// <summary>Items of a page that have their texts (api 0.4).</summary>
    public const int FullPageMax = 20;

    private const int QueryCharsMax = 256;

    public static void MapMemories(this IEndpointRouteBuilder stores)
    {
        stores.MapPost("/memory_stores/{id}/memories", Create);
        stores.MapGet("/memory_stores/{id}/memories", List);
        stores.MapGet("/memory_stores/{id}/memories/{memoryId}", Get);
        stores.MapPost("/memory_stores/{id}/memories/{memoryId}", Update);
        stores.MapPatch("/memory_stores/{id}/memories/{memoryId}", Update);
        stores.MapDelete("/memory_stores/{id}/memories/{memoryId}", Delete);
        stores.MapGet("/memory_stores/{id}/search", Search);
    }

    /// <summary>Whether the answer has texts.</summary>
    /// <exception cref="ApiException">400: it is no view.</exception>
    internal static bool WithContent(HttpRequest request, string byDefault) =>
        (request.Text("view") ?? byDefault) switch
        {
            Full => true,
            Basic => false,
            var other => throw ApiException.Invalid("view", $"'{other}' is neither basic nor full."),
        };

    /// <summary>Who asks, as versions have it.</summary>
    internal static MemoryActor Actor(HttpRequest request, ApiKeys keys) =>
        new ApiActor(keys.IdOf(request) ?? throw new InvalidOperationException("Nobody is here without a key."));

    private static async Task<IResult> Create(
        string id, HttpRequest request, MemoryStore store, ApiKeys keys, CancellationToken cancellationToken)
    {
        var withContent = WithContent(request, Basic);
        var body = await request.Read(WireJson.Default.MemoryCreate);
        MemoryRules.CheckPath(body.Path);
        var outcome = await store.Create(
            id, body.Path, MemoryRules.Content(body.Content), Actor(request, keys), cancellationToken);
        return Answer(outcome, id, null, withContent);
    }

    private static async Task<IResult> Get(
        string id, string memoryId, HttpRequest request, MemoryStore store, CancellationToken cancellationToken)
    {
        var withContent = WithContent(request, Full);
        var found = await store.Find(id, memoryId, withContent, cancellationToken);
        return found is null ? throw ApiException.NotFound("Memory", memoryId) : Answer(found, withContent);
    }

    private static async Task<IResult> Update(
        string id, string memoryId, HttpRequest request, MemoryStore store, ApiKeys keys,
        CancellationToken cancellationToken)
    {
        var withContent = WithContent(request, Basic);
        var body = await request.Read(WireJson.Default.MemoryUpdate);
        if (body.Path is not null)
        {
            MemoryRules.CheckPath(body.Path);
        }

        var place = new MemoryPlace(id, memoryId, MemoryRules.Expected(body.Precondition));
        var content = body.Content is null ? null : MemoryRules.Content(body.Content);
        var outcome = await store.Update(place, body.Path, content, Actor(request, keys), cancellationToken);
        return Answer(outcome, id, memoryId, withContent);
    }

    private static async Task<IResult> Delete(
        string id, string memoryId, HttpRequest request, MemoryStore store, ApiKeys keys,
        CancellationToken cancellationToken)
    {
        const string Field = "expected_content_sha256";
        var expected = request.Text(Field) is { } text ? MemoryRules.Sha256(Field, text) : null;
        var refusal = await store.Delete(
            new MemoryPlace(id, memoryId, expected), Actor(request, keys), cancellationToken);
        return refusal is null
            ? Body.Json(new Deleted { Id = memoryId, Type = "memory_deleted" }, WireJson.Default.Deleted)
            : throw MemoryRules.Refused(refusal, id, memoryId);
    }

    private static async Task<IResult> List(
        string id, HttpRequest request, MemoryStore store, CancellationToken cancellationToken)
    {
        var withContent = WithContent(request, Basic);
        var limit = Limit(request, withContent);
        var prefix = request.Text("path_prefix") ?? "/";
        if (!prefix.StartsWith('/') || !prefix.EndsWith('/'))
        {
            throw ApiException.Invalid("path_prefix", "must start and end with '/'.");
        }

        // The cursor knows what it walks; another prefix or depth is another list.
        var depth = request.Number("depth", 0, 1) ?? 0;
        var list = $"memories:{id}:{depth}:{Uri.EscapeDataString(prefix)}";
        var after = Cursor.Of(request, list, descending: false)?.Position;
        var heads = await store.Heads(id, cancellationToken) ?? throw MemoryRules.NoStore(id);
        var items = MemoryListing.Of(heads.Rows, prefix, depth, after is null ? null : Uri.UnescapeDataString(after))
            .Take(limit + 1).ToList();
        var page = items.Take(limit).ToList();
        var texts = withContent ? await Texts(store, page, cancellationToken) : [];
        return Body.Json(new Page<MemoryItem>
        {
            Data = [.. page.Select(MemoryItem (item) => item.Memory is { } memory
                ? ToWire(new StoredMemory(memory, texts.GetValueOrDefault(memory.VersionId)), withContent)
                : new MemoryPrefix { Path = item.Path })],
            NextPage = items.Count > limit
                ? new Cursor(list, false, false, Uri.EscapeDataString(page[^1].Path)).ToString() : null,
        }, WireJson.Default.PageMemoryItem);
    }

    /// <summary>Tenon's own: the memories that have all of some words.</summary>
    private static async Task<IResult> Search(
        string id, HttpRequest request, MemoryStore store, CancellationToken cancellationToken)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        var query = request.Text("q") ?? "";
        var words = query.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0 || query.Length > QueryCharsMax)
        {
            throw ApiException.Invalid("q", $"must have words, and at most {QueryCharsMax} characters.");
        }

        var heads = await store.Heads(id, cancellationToken) ?? throw MemoryRules.NoStore(id);
        var rows = heads.Rows.ToDictionary(row => row.VersionId);
        var found = new List<(MemoryRow Row, MemoryHit Hit)>();
        await foreach (var (versionId, content) in store.Contents([.. rows.Keys], cancellationToken))
        {
            var row = rows[versionId];
            if (MemoryHit.Find(words, row.Path, Encoding.UTF8.GetString(content)) is { } hit)
            {
                found.Add((row, hit));
            }
        }

        var best = found.OrderByDescending(match => match.Hit.Matches)
            .ThenBy(match => match.Row.Path, StringComparer.Ordinal).Take(limit);
        return Body.Json(new Page<MemoryMatch>
        {
            Data = [.. best.Select(match => new MemoryMatch
            {
                Memory = ToWire(new StoredMemory(match.Row, null), false),
                Matches = match.Hit.Matches,
                Excerpt = match.Hit.Excerpt,
            })],
        }, WireJson.Default.PageMemoryMatch);
    }

    internal static int Limit(HttpRequest request, bool withContent)
    {
        var limit = request.Number("limit", 1, PageMax) ?? PageDefault;
        return withContent ? Math.Min(limit, FullPageMax) : limit;
    }

    private static async Task<Dictionary<string, byte[]>> Texts(
        MemoryStore store, IReadOnlyList<ListedMemory> page, CancellationToken cancellationToken)
    {
        var texts = new Dictionary<string, byte[]>();
        var versions = page.Select(item => item.Memory?.VersionId).OfType<string>().ToList();
        await foreach (var (versionId, content) in store.Contents(versions, cancellationToken))
        {
            texts.Add(versionId, content);
        }

        return texts;
    }

    private static IResult Answer(MemoryOutcome outcome, string storeId, string? memoryId, bool withContent) =>
        outcome.Memory is { } memory
            ? Answer(memory, withContent)
            : throw MemoryRules.Refused(outcome.Refusal!, storeId, memoryId);

    private static IResult Answer(StoredMemory memory, bool withContent) =>
        Body.Json<MemoryItem>(ToWire(memory, withContent), WireJson.Default.MemoryItem);

    private static MemoryRecord ToWire(StoredMemory memory, bool withContent) => new()
    {
        Id = memory.Row.Id,
        MemoryStoreId = memory.Row.StoreId,
        MemoryVersionId = memory.Row.VersionId,
        Path = memory.Row.Path,
        Content = withContent && memory.Content is { } content ? Encoding.UTF8.GetString(content) : null,
        ContentSizeBytes = memory.Row.Size,
        ContentSha256 = memory.Row.Sha256,
        CreatedAt = Microseconds.FromMicroseconds(memory.Row.CreatedAt),
        UpdatedAt = Microseconds.FromMicroseconds(memory.Row.UpdatedAt),
    };
}
