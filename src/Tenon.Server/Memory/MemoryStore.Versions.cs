using Microsoft.EntityFrameworkCore;
using System.Text;
using Tenon.Server.Storage;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <content>Versions: what was in a store, and who changed it.</content>
public sealed partial class MemoryStore
{
    /// <summary>Newest first; one more than asked for when there are more. Null when there is no such store.</summary>
    public async Task<IReadOnlyList<MemoryVersion>?> Versions(
        MemoryVersionQuery query, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        if (!await context.MemoryStores.AnyAsync(row => row.Id == query.StoreId, cancellationToken))
        {
            return null;
        }

        var rows = context.MemoryVersions.AsNoTracking().Where(row => row.StoreId == query.StoreId)
            .Where(row => query.Before == null || string.Compare(row.Id, query.Before) < 0)
            .Where(row => query.MemoryId == null || row.MemoryId == query.MemoryId)
            .Where(row => query.Operation == null || row.Operation == query.Operation)
            .Where(row => query.From == null || row.CreatedAt >= query.From)
            .Where(row => query.To == null || row.CreatedAt <= query.To);
        foreach (var (type, id) in query.Actors)
        {
            rows = rows.Where(row => row.ActorType == type && row.ActorId == id);
        }

        var page = rows.OrderByDescending(row => row.Id).Take(query.Limit + 1);
        var found = await (query.WithContent ? page : WithoutContent(page)).ToListAsync(cancellationToken);
        return found.ConvertAll(row => ToWire(row));
    }

    public async Task<MemoryVersion?> FindVersion(
        string storeId, string id, bool withContent, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var found = context.MemoryVersions.AsNoTracking().Where(row => row.StoreId == storeId && row.Id == id);
        return await (withContent ? found : WithoutContent(found)).SingleOrDefaultAsync(cancellationToken)
            is { } row ? ToWire(row) : null;
    }

    /// <summary>
    /// Takes path and text out of a version, for good; who made it stays. The version of a memory as it is now is
    /// refused.
    /// </summary>
    public Task<(MemoryVersion? Version, bool IsHead)> Redact(
        string storeId, string id, MemoryActor actor, CancellationToken cancellationToken) =>
        Write<(MemoryVersion? Version, bool IsHead)>(storeId, (null, false), async writing =>
        {
            var context = writing.Context;
            if (await context.Memories.AnyAsync(
                row => row.StoreId == storeId && row.VersionId == id, cancellationToken))
            {
                return (null, true);
            }

            var version = await context.MemoryVersions.SingleOrDefaultAsync(
                row => row.StoreId == storeId && row.Id == id, cancellationToken);
            if (version is { RedactedAt: null })
            {
                (version.Path, version.Content, version.Size, version.Sha256) = (null, null, null, null);
                version.RedactedAt = clock.GetUtcNow().ToMicroseconds();
                (version.RedactedType, version.RedactedId) = Parts(actor);
                await writing.Save(cancellationToken);
            }

            return (version is null ? null : ToWire(version), false);
        }, cancellationToken);

    private static IQueryable<MemoryVersionRow> WithoutContent(IQueryable<MemoryVersionRow> rows) =>
        rows.Select(row => new MemoryVersionRow
        {
            Id = row.Id, StoreId = row.StoreId, MemoryId = row.MemoryId, Operation = row.Operation,
            CreatedAt = row.CreatedAt, ActorType = row.ActorType, ActorId = row.ActorId, RedactedAt = row.RedactedAt,
            RedactedType = row.RedactedType, RedactedId = row.RedactedId, Size = row.Size, Sha256 = row.Sha256,
            Path = row.Path,
        });

    private static MemoryVersion ToWire(MemoryVersionRow row) => new()
    {
        Id = row.Id,
        MemoryStoreId = row.StoreId,
        MemoryId = row.MemoryId,
        Operation = row.Operation,
        Path = row.Path,
        Content = row.Content is null ? null : Encoding.UTF8.GetString(row.Content),
        ContentSizeBytes = row.Size,
        ContentSha256 = row.Sha256,
        CreatedAt = Microseconds.FromMicroseconds(row.CreatedAt),
        CreatedBy = Actor(row.ActorType, row.ActorId),
        RedactedAt = row.RedactedAt is { } at ? Microseconds.FromMicroseconds(at) : null,
        RedactedBy = row.RedactedType is { } type ? Actor(type, row.RedactedId!) : null,
    };

    private static (string Type, string Id) Parts(MemoryActor actor) => actor switch
    {
        SessionActor session => (SessionActor.Kind, session.SessionId),
        ApiActor api => (ApiActor.Kind, api.ApiKeyId),
        _ => throw new NotSupportedException($"{actor} changes no memory."),
    };

    private static MemoryActor Actor(string type, string id) =>
        type == SessionActor.Kind ? new SessionActor(id) : new ApiActor(id);
}

/// <summary>Which versions to list. Times are Unix microseconds.</summary>
public sealed record MemoryVersionQuery
{
    public required string StoreId { get; init; }

    public required int Limit { get; init; }

    public required bool WithContent { get; init; }

    public string? Before { get; init; }

    public string? MemoryId { get; init; }

    public string? Operation { get; init; }

    public long? From { get; init; }

    public long? To { get; init; }

    /// <summary>Kinds and ids of who made them. A version has one, so two that differ find nothing.</summary>
    public IReadOnlyList<(string Type, string Id)> Actors { get; init; } = [];
}
