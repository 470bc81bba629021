namespace Tenon.Server.Sandboxes;

/// <summary>A file that a sandbox can read.</summary>
/// <param name="Path">Below <c>/mnt/session/uploads</c>; its directories are made.</param>
/// <param name="Source">The file on the host. It must never change, since the sandbox may get a link to it.</param>
public sealed record SandboxUpload(string Path, string Source);

/// <summary>The uploads folder of a session: what is in it, and who may do what there.</summary>
/// <remarks>
/// The folder belongs to the server. The sandbox's uid reads it as the folder's group and can write nothing there, not
/// even without the read-only mount. A change shows at once in a sandbox that lives, because it is the folder itself
/// that is mounted.
/// </remarks>
internal static class SandboxUploads
{
    private const uint GroupReadable = 0x1E8; // 0750
    private const uint Readable = 0x124; // 0444
    private const string PartName = "upload.part";

    /// <summary>Makes the folder's content exactly what is wanted.</summary>
    public static void Place(SandboxFolder folder, IReadOnlyList<SandboxUpload> wanted, int? uid)
    {
        var targets = wanted.ToDictionary(upload => Path.Combine(folder.Uploads, upload.Path));
        foreach (var path in Directory.GetFiles(folder.Uploads, "*", SearchOption.AllDirectories))
        {
            if (!targets.TryGetValue(path, out var upload) || !IsSame(path, upload.Source))
            {
                File.Delete(path);
                DeleteEmpty(Path.GetDirectoryName(path)!, folder.Uploads);
            }
        }

        foreach (var (path, upload) in targets.Where(target => !File.Exists(target.Key)))
        {
            MakeDirectory(Path.GetDirectoryName(path)!, folder.Uploads, uid);
            Place(upload.Source, path, Path.Combine(folder.Path, PartName));
        }
    }

    public static void Own(string directory, int? uid)
    {
        LinuxCalls.Mode(directory, GroupReadable);
        if (uid is { } gid)
        {
            LinuxCalls.Group(directory, gid);
        }
    }

    // A link costs nothing. Where the folders are on two file systems, the copy is made outside and moved in whole.
    private static void Place(string source, string path, string part)
    {
        if (!LinuxCalls.Link(source, path) && File.Exists(source))
        {
            File.Copy(source, part, overwrite: true);
            LinuxCalls.Mode(part, Readable);
            File.Move(part, path, overwrite: true);
        }
    }

    // A link has the time of its source, and a copy is given it.
    private static bool IsSame(string path, string source)
    {
        var (a, b) = (new FileInfo(path), new FileInfo(source));
        return b.Exists && a.Length == b.Length && a.LastWriteTimeUtc == b.LastWriteTimeUtc;
    }

    private static void MakeDirectory(string directory, string root, int? uid)
    {
        if (directory != root && !Directory.Exists(directory))
        {
            MakeDirectory(Path.GetDirectoryName(directory)!, root, uid);
            Directory.CreateDirectory(directory);
            Own(directory, uid);
        }
    }

    private static void DeleteEmpty(string directory, string root)
    {
        if (directory != root && !Directory.EnumerateFileSystemEntries(directory).Any())
        {
            Directory.Delete(directory);
            DeleteEmpty(Path.GetDirectoryName(directory)!, root);
        }
    }
}
