using Tenon.Server.Files;
using Tenon.Server.Http;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Files;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// The files that a session is given. Each is a copy with an id of its own that shares the bytes of the original, so
/// that it stays when the original is deleted. Which ones there are stands in the session's definition.
/// </summary>
public sealed class SessionFileRules(
    SessionStore sessions, FileStore files, IBlobStore blobs, IdSource ids, TimeProvider clock)
{
    /// <summary>Makes the session's copies, all or none; the caller then writes them into the definition.</summary>
    /// <remarks>
    /// A crash before that leaves copies that are listed and mounted nowhere; they go with the session, or at the next
    /// start when there is none.
    /// </remarks>
    /// <param name="pathOf">The path of a resource's field in the request, from its index and the field's name.</param>
    /// <exception cref="ApiException">400 with the field.</exception>
    public async Task<IReadOnlyList<FileResource>> Attach(
        string sessionId, IReadOnlyList<ResourceCreate> asked, IReadOnlyList<FileResource> present,
        Func<int, string, string> pathOf, CancellationToken cancellationToken)
    {
        var mounts = ResourceRules.Check(asked, present, pathOf);
        var now = clock.GetUtcNow();
        var found = (await files.Find(asked.Select(resource => resource.FileId!).ToHashSet(), cancellationToken))
            .ToDictionary(file => file.Record.Id, file => file.Record);
        var copies = new List<(string FromId, FileRecord Copy)>();
        for (var i = 0; i < asked.Count; i++)
        {
            var id = asked[i].FileId!;
            var original = found.GetValueOrDefault(id)
                ?? throw ApiException.Invalid(pathOf(i, "file_id"), $"file '{id}' was not found.");
            if (FileRules.IsExpired(original, now))
            {
                throw ApiException.Invalid(pathOf(i, "file_id"), $"file '{id}' has expired.");
            }

            var scope = new FileScope { Id = sessionId };
            copies.Add((id, original with { Id = ids.Next(IdPrefix.File), Scope = scope, CreatedAt = now }));
        }

        if (!await files.Copy(copies, cancellationToken))
        {
            throw ApiException.Invalid(pathOf(0, "file_id"), "a file was deleted meanwhile.");
        }

        return [.. copies.Select((copy, i) => new FileResource
        {
            Id = ids.Next(IdPrefix.Resource),
            FileId = copy.Copy.Id,
            MountPath = mounts[i],
            CreatedAt = now,
            UpdatedAt = now,
        })];
    }

    /// <summary>Another session's files for a new one, as far as they are still there.</summary>
    public async Task<IReadOnlyList<FileResource>> Carry(
        string sessionId, IReadOnlyList<FileResource> resources, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var there = (await files.Find([.. resources.Select(resource => resource.FileId)], cancellationToken))
            .Where(file => !FileRules.IsExpired(file.Record, now)).Select(file => file.Record.Id).ToHashSet();
        return await Attach(
            sessionId,
            [.. resources.Where(resource => there.Contains(resource.FileId)).Select(resource => new ResourceCreate
            {
                Type = "file", FileId = resource.FileId, MountPath = resource.MountPath,
            })],
            [], (i, field) => $"resources.{i}.{field}", cancellationToken);
    }

    /// <summary>Removes copies that no definition names any more, or never did.</summary>
    public Task Detach(IReadOnlyList<FileResource> resources, CancellationToken cancellationToken) =>
        files.DeleteAll([.. resources.Select(resource => resource.FileId)], cancellationToken);

    /// <summary>What the session's sandbox finds among its uploads now.</summary>
    public async Task<IReadOnlyList<SandboxUpload>> Uploads(string sessionId, CancellationToken cancellationToken)
    {
        if (await sessions.Find(sessionId, cancellationToken) is not { Definition.Resources: { Count: > 0 } resources })
        {
            return [];
        }

        var now = clock.GetUtcNow();
        var found = (await files.Find([.. resources.Select(resource => resource.FileId)], cancellationToken))
            .Where(file => !FileRules.IsExpired(file.Record, now))
            .ToDictionary(file => file.Record.Id, file => file.Blob);
        var uploads = new List<SandboxUpload>();
        foreach (var resource in resources.Where(resource => found.ContainsKey(resource.FileId)))
        {
            if (await FileOf(found[resource.FileId], cancellationToken) is { } path)
            {
                uploads.Add(new SandboxUpload(ResourceRules.Below(resource.MountPath), path));
            }
        }

        return uploads;
    }

    private async Task<string?> FileOf(string blob, CancellationToken cancellationToken)
    {
        try
        {
            return await blobs.FileOf(blob, cancellationToken);
        }
        catch (BlobsAwayException exception)
        {
            // A sandbox without its files would mislead the model; the next call tries again.
            throw new SandboxException($"The session's files are not to be had: {exception.Message}", exception);
        }
    }
}
