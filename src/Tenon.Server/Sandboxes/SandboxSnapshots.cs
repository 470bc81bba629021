using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Sessions' files as they were: clones of their disks, or copies of their folders where sessions have no disks.
/// </summary>
internal sealed class SandboxSnapshots(SandboxFiles files, SandboxDisks disks)
{
    private const string TreesName = ".snapshots";

    /// <summary>
    /// Where a snapshot is a copy: what is more than this is not kept, because it would take seconds at every idle.
    /// </summary>
    private const long CopyBytesMax = 256L * 1024 * 1024;

    private const int CopyFilesMax = 20_000;

    /// <summary>Keeps the files as they are now, and of the older snapshots only those that are to stay.</summary>
    public void Make(SandboxFolder folder, SandboxRecord record, string id, IReadOnlyCollection<string> stay)
    {
        if (folder.HasDisk)
        {
            disks.Snapshot(folder, Name(id, record));
        }
        else
        {
            CopyTree(folder, Path.Combine(TreesOf(folder.Name), id));
        }

        foreach (var path in All(folder.Name).Where(path => IdOf(path) != id && !stay.Contains(IdOf(path))))
        {
            Delete(path);
        }
    }

    /// <summary>Files for a session that has none, from the first of the snapshots that is there.</summary>
    public string? Fork(string sessionId, IReadOnlyList<string> ids, SandboxFolder folder)
    {
        var there = All(sessionId).ToLookup(IdOf);
        foreach (var id in ids)
        {
            foreach (var path in there[id])
            {
                // An image without an owner was made by a server that is no root, and there is none.
                files.Make(folder, disks, new SnapshotSource(
                    path, path.EndsWith(DiskStore.Extension, StringComparison.Ordinal) ? UidOf(path) : null));
                return id;
            }
        }

        return null;
    }

    /// <summary>Deletes all snapshots of a session.</summary>
    public void DeleteAll(string sessionId)
    {
        All(sessionId).ForEach(Delete);
        foreach (var folder in Folders(sessionId).Where(Directory.Exists))
        {
            Directory.Delete(folder);
        }
    }

    /// <summary>Sessions that have snapshots as folders.</summary>
    public IEnumerable<string> Sessions() => Directory.Exists(Path.Combine(files.Root, TreesName))
        ? Directory.EnumerateDirectories(Path.Combine(files.Root, TreesName)).Select(path => Path.GetFileName(path))
        : [];

    private List<string> All(string sessionId) =>
        [.. Folders(sessionId).Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries)];

    private IEnumerable<string> Folders(string sessionId) =>
        disks.SnapshotsOf(sessionId) is { } images ? [images, TreesOf(sessionId)] : [TreesOf(sessionId)];

    private string TreesOf(string sessionId) => Path.Combine(files.Root, TreesName, sessionId);

    // The uid of the files on the disk stands in the name, because a later owner must know it.
    private static string Name(string id, SandboxRecord record) => string.Create(
        CultureInfo.InvariantCulture, $"{id}.{record.DiskUid ?? record.Uid}{DiskStore.Extension}");

    private static string IdOf(string path) => Path.GetFileName(path).Split('.')[0];

    private static int? UidOf(string path) =>
        int.TryParse(Path.GetFileName(path).Split('.')[1], NumberStyles.None, CultureInfo.InvariantCulture, out var uid)
            ? uid : null;

    private static void Delete(string path)
    {
        if (Directory.Exists(path))
        {
            SystemProgram.RunOrThrow("rm", "-rf", "--one-file-system", "--", path);
        }
        else
        {
            File.Delete(path);
        }
    }

    private static void CopyTree(SandboxFolder folder, string target)
    {
        var (bytes, count) = (0L, 0);
        foreach (var name in SandboxFolder.AgentFolders)
        {
            OutputFolder.Measure(Path.Combine(folder.Path, name), CopyFilesMax, ref bytes, ref count);
        }

        if (bytes > CopyBytesMax || count > CopyFilesMax)
        {
            throw new SandboxException(string.Create(CultureInfo.InvariantCulture,
                $"The session's files are more than the {CopyFilesMax} files or {CopyBytesMax / 1024 / 1024} MiB that "
                + $"a snapshot by copy may have, and this machine gives sessions no disks: a fork gets older ones."));
        }

        var part = target + ".part";
        Directory.CreateDirectory(part);
        SystemProgram.RunOrThrow("cp", ["-a", "--reflink=auto", "--sparse=always", "--", .. SandboxFolder.AgentFolders
            .Select(name => Path.Combine(folder.Path, name)), part]);
        Directory.Move(part, target);
    }
}

/// <summary>What a session's files are made of.</summary>
/// <param name="Path">An image, or a folder.</param>
/// <param name="Uid">Who owns the files in an image; null for a folder.</param>
internal sealed record SnapshotSource(string Path, int? Uid);
