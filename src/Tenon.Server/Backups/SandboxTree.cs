using Microsoft.Win32.SafeHandles;
using System.Formats.Tar;
using System.Text.Json;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Backups;

/// <summary>
/// Reads one session's folder into a backup while its agent may write there: directories, regular files, links of both
/// kinds, with their owners, permissions and times. Pipes and sockets are of a life of the sandbox, and stay out.
/// </summary>
/// <remarks>
/// Every name is opened in a directory that is open already and no link is followed, so that the agent cannot make the
/// server read another file of the host. The uploads are links to blobs and are placed again by the server.
/// </remarks>
internal sealed class SandboxTree(BackupArchive archive, SandboxDisks disks, SandboxFolder folder, string name)
{
    /// <summary>Each level holds an open directory. Deeper is no work of a person or a compiler.</summary>
    private const int DepthMax = 200;

    private static readonly EnumerationOptions Names = new()
    {
        AttributesToSkip = 0, IgnoreInaccessible = true, ReturnSpecialDirectories = false,
    };

    // Where a file with several names was first met.
    private readonly Dictionary<ulong, string> _linked = [];

    /// <summary>What could not be read, or has a name that is no text.</summary>
    public int LeftOut { get; private set; }

    /// <summary>Adds all of it. A folder that is not complete is of a session that never had a sandbox.</summary>
    public void Add()
    {
        using var root = LinuxCalls.OpenBeneath(folder.Path);
        if (root is null || LinuxCalls.Status(root) is not { } status || folder.ReadRecord() is not { } record)
        {
            return;
        }

        archive.AddDirectory(name, status);

        // Who restores this must not take a process of this machine for the sandbox.
        archive.Add($"{name}/{BackupLayout.SandboxRecord}", JsonSerializer.SerializeToUtf8Bytes(
            new SandboxRecord(record.Uid, null, 0, 0, null), SandboxRecordJson.Default.SandboxRecord));
        var here = PathOf(root);
        Open(here, BackupLayout.Uploads, (_, its) => archive.AddDirectory($"{name}/{BackupLayout.Uploads}", its));
        using var look = disks.Look(folder, record);
        foreach (var part in BackupLayout.AgentFolders)
        {
            Open(look.Path + "/", part, (directory, its) => AddDirectory(directory, its, $"{name}/{part}", 0));
        }
    }

    private void AddDirectory(SafeFileHandle directory, FileStatus status, string at, int depth)
    {
        archive.AddDirectory(at, status);
        var here = PathOf(directory);
        foreach (var entry in NamesIn(here))
        {
            var inner = $"{at}/{entry}";
            if (new FileInfo(here + entry).LinkTarget is { } target)
            {
                archive.AddLink(inner, TarEntryType.SymbolicLink, target, (int)status.Owner);
                continue;
            }

            Open(here, entry, (opened, its) => Add(opened, its, inner, depth));
        }
    }

    private void Add(SafeFileHandle opened, FileStatus status, string at, int depth)
    {
        if (status.IsDirectory && depth < DepthMax)
        {
            AddDirectory(opened, status, at, depth + 1);
        }
        else if (status.IsDirectory)
        {
            LeftOut++;
        }
        else if (status is { IsRegular: true, Links: > 1 } && !_linked.TryAdd(status.Inode, at))
        {
            archive.AddLink(at, TarEntryType.HardLink, _linked[status.Inode], (int)status.Owner);
        }
        else if (status.IsRegular)
        {
            archive.Add(at, opened, status);
        }
    }

    private void Open(string directory, string entry, Action<SafeFileHandle, FileStatus> use)
    {
        using var opened = LinuxCalls.OpenBeneath(directory + entry);
        if (opened is not null && LinuxCalls.Status(opened) is { } status)
        {
            use(opened, status);
        }
        else
        {
            LeftOut++;
        }
    }

    private static string PathOf(SafeFileHandle directory) =>
        $"/proc/self/fd/{(int)directory.DangerousGetHandle()}/";

    // In order, so that two backups of the same folder are the same.
    private static IReadOnlyList<string> NamesIn(string directory) =>
    [
        .. Directory.EnumerateFileSystemEntries(directory, "*", Names)
            .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal),
    ];
}
