using System.Text;
using Tenon.Server.Http;
using Tenon.Server.Repositories;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// Which resources a session may have, and where files appear in its sandbox (api A.7, B.3). A file lies below
/// <c>/mnt/session/uploads</c>, whatever its mount path begins with; <c>/uploads</c> is the same folder.
/// </summary>
public static class ResourceRules
{
    /// <summary>The documented number of files of one session.</summary>
    public const int FilesMax = 500;

    private const string Uploads = "/mnt/session/uploads/";
    private const string UploadsLink = "/uploads/";

    // What the kernel allows for a name, and a path that leaves room for the folder's own.
    private const int NameBytesMax = 255;
    private const int PathBytesMax = 1_024;

    /// <summary>The mount paths of what is asked for, beside what is there; nothing is written yet.</summary>
    /// <param name="pathOf">The path of a resource's field in the request, from its index and the field's name.</param>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static IReadOnlyList<string> Check(
        IReadOnlyList<ResourceCreate> asked, IReadOnlyList<FileResource> present, Func<int, string, string> pathOf)
    {
        var files = present.Select(resource => Below(resource.MountPath)).ToHashSet(StringComparer.Ordinal);
        var folders = files.SelectMany(Folders).ToHashSet(StringComparer.Ordinal);
        var mounts = new List<string>();
        for (var i = 0; i < asked.Count; i++)
        {
            var index = i;
            CheckKind(asked[i], field => pathOf(index, field));
            if (files.Count == FilesMax)
            {
                throw ApiException.Invalid(pathOf(i, "file_id"), $"a session has at most {FilesMax} files.");
            }

            var path = pathOf(i, "mount_path");
            mounts.Add(MountPath(path, asked[i]));
            var below = Below(mounts[i]);
            if (folders.Contains(below) || Folders(below).Any(files.Contains) || !files.Add(below))
            {
                throw ApiException.Invalid(path, $"'{mounts[i]}' is taken by another file of this session.");
            }

            folders.UnionWith(Folders(below));
        }

        return mounts;
    }

    /// <summary>The path below the uploads folder.</summary>
    public static string Below(string mountPath) =>
        mountPath.StartsWith(Uploads, StringComparison.Ordinal) ? mountPath[Uploads.Length..]
        : mountPath.StartsWith(UploadsLink, StringComparison.Ordinal) ? mountPath[UploadsLink.Length..]
        : mountPath.TrimStart('/');

    private static void CheckKind(ResourceCreate asked, Func<string, string> pathOf)
    {
        switch (asked.Type)
        {
            case "file" when asked.FileId is null:
                throw ApiException.Invalid(pathOf("file_id"), "field required");
            case "file":
                break;
            case RepositoryRules.Kind:
                throw ApiException.Invalid(
                    pathOf("type"), "a repository is attached when the session is created, and not later.");
            case MemoryResourceRules.Kind:
                throw ApiException.Invalid(
                    pathOf("type"), "a memory store is attached when the session is created, and not later.");
            default:
                throw ApiException.Invalid(pathOf("type"),
                    $"'{asked.Type}' is not one of file, github_repository, memory_store.");
        }
    }

    // What already names the folder is answered as it was sent; anything else is answered as the path it becomes.
    private static string MountPath(string path, ResourceCreate asked)
    {
        var sent = asked.MountPath ?? asked.FileId!;
        var below = Below(sent);
        foreach (var name in below.Split('/'))
        {
            if (name is "" or "." or ".." || name.Any(char.IsControl)
                || Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            {
                throw ApiException.Invalid(path, "must be the path of a file below /mnt/session/uploads: names of at "
                    + $"most {NameBytesMax} bytes, without '..', control characters or empty names.");
            }
        }

        return Encoding.UTF8.GetByteCount(below) > PathBytesMax
            ? throw ApiException.Invalid(path, $"is longer than {PathBytesMax} bytes.")
            : sent.StartsWith(UploadsLink, StringComparison.Ordinal) ? sent : Uploads + below;
    }

    private static IEnumerable<string> Folders(string below)
    {
        for (var at = below.LastIndexOf('/'); at > 0; at = below.LastIndexOf('/', at - 1))
        {
            yield return below[..at];
        }
    }
}
