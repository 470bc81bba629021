using System.ComponentModel;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Where the disks of sessions are kept: image files on a file system that can clone one in a moment. That is the data
/// folder's own where it can (XFS, btrfs), else one that is made for it in a file there and grows with it.
/// </summary>
/// <remarks>
/// The file has all of its room from the start, so that a full host disk never hurts what sessions have written.
/// Several programs on one data folder (a server, <c>tenon doctor</c>) share the store; the last one that leaves it
/// without a disk in use takes it down.
/// </remarks>
internal sealed class DiskStore : IDisposable
{
    /// <summary>How an image's name ends.</summary>
    public const string Extension = ".img";

    private const string FolderName = ".disks";
    private const string FileName = ".disks.xfs";
    private const string LockName = ".disks.lock";
    private const string TemplateName = "template";
    private const string LiveName = "live";
    private const string SnapshotsName = "snapshots";

    /// <summary>The journal of a session's disk: as small as it may be, since every new disk copies it.</summary>
    private const string JournalMegabytes = "4";

    /// <summary>A small disk's table of files must leave room for what is in them.</summary>
    private const int BytesPerFileMin = 4096;

    private readonly string _root;
    private readonly SandboxOptions _options;
    private readonly SafeFileHandle _lock;
    private readonly Lock _growing = new();
    private readonly bool _isFile;

    private DiskStore(string root, SandboxOptions options, SafeFileHandle held)
    {
        (_root, _options, _lock) = (root, options, held);
        Folder = Path.Combine(root, FolderName);
        _isFile = Prepare();
        Directory.CreateDirectory(Path.Combine(Folder, LiveName));
        Directory.CreateDirectory(Path.Combine(Folder, SnapshotsName));
        TemplatePath = Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture,
            $"{TemplateName}-{options.DiskBytes}-{options.DiskFiles}.img"));
    }

    public string Folder { get; }

    /// <summary>An empty disk, from which each session's is cloned.</summary>
    public string TemplatePath { get; }

    public string ImageOf(string sessionId) => Path.Combine(Folder, LiveName, sessionId + Extension);

    public string SnapshotsOf(string sessionId) => Path.Combine(Folder, SnapshotsName, sessionId);

    /// <summary>Whether there is a store below this folder.</summary>
    public static bool IsIn(string root) => Directory.Exists(Path.Combine(root, FolderName));

    /// <summary>The sessions that have a disk.</summary>
    public IEnumerable<string> Images() => Names(LiveName).Select(name => name.Split('.')[0]);

    /// <summary>The sessions that have snapshots.</summary>
    public IEnumerable<string> WithSnapshots() => Names(SnapshotsName);

    /// <summary>Why this machine gives sessions no disk of their own, and what to do; null when it does.</summary>
    public static (string Why, string Fix)? Lack(SandboxOptions options) =>
        options.DiskBytes <= 0 ? ("sandbox.disk_mb is 0", "Set sandbox.disk_mb.")
        : !SandboxFiles.IsRoot ? ("the server is not root", "Run the server as root.")
        : !File.Exists("/dev/loop-control")
            ? ("there are no loop devices", "modprobe loop; in a container, give it /dev and CAP_SYS_ADMIN.")
        : SystemProgram.Find("mkfs.ext4") is null ? ("mkfs.ext4 is missing", "apt-get install -y e2fsprogs")
        : null;

    /// <summary>Makes the store ready.</summary>
    /// <exception cref="IOException">The machine refuses; the message says what.</exception>
    public static DiskStore Open(string root, SandboxOptions options)
    {
        var path = Path.Combine(root, LockName);
        var held = LinuxDisks.OpenOrCreate(path);
        try
        {
            // Who comes first makes it, and all who use it share the lock. One who waits for that finds it made.
            if (!LinuxDisks.TryLock(held))
            {
                LinuxDisks.Lock(held, path, isShared: true);
            }

            var store = new DiskStore(root, options, held);
            store.MakeTemplate();
            _ = LinuxDisks.TryLock(held, isShared: true);
            return store;
        }
        catch (Exception exception)
            when (exception is Win32Exception or SandboxException or UnauthorizedAccessException)
        {
            // A container's root often may not mount; the caller goes on without disks and says why.
            held.Dispose();
            throw new IOException(exception.Message, exception);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Bytes that sessions can still write before the disk below them is full.</summary>
    public long FreeBytes => LinuxDisks.FreeBytes(Folder);

    /// <summary>Makes the store larger while there is little room in it and enough around it.</summary>
    public void Grow()
    {
        lock (_growing)
        {
            while (_isFile && FreeBytes < _options.StoreStepBytes * 3 / 4
                && LinuxDisks.FreeBytes(_root) - _options.StoreStepBytes > _options.ReserveBytes)
            {
                var path = Path.Combine(_root, FileName);
                using (var file = LinuxDisks.OpenOrCreate(path))
                {
                    LinuxDisks.Reserve(file, RandomAccess.GetLength(file) + _options.StoreStepBytes);
                }

                var device = LinuxDisks.DeviceAt(Folder)
                    ?? throw new IOException($"{Folder} is not mounted any more.");
                using (var loop = File.OpenHandle(device, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
                {
                    LinuxDisks.Resize(loop);
                }

                SystemProgram.RunOrThrow("xfs_growfs", "-d", Folder);
            }
        }
    }

    /// <summary>
    /// A copy of an image that is not mounted.
    /// </summary>
    public static void CloneAtRest(string from, string to)
    {
        using (AtRest(from))
        {
            Clone(from, to);
        }
    }

    // One that was mounted a moment ago is waited for: what was written to it may still be on its way there.
    private static SafeFileHandle AtRest(string image)
    {
        var (handle, _) = LinuxDisks.OpenImage(image);
        try
        {
            LinuxDisks.Lock(handle, image);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>A copy of an image: shared bytes where the file system can, else what is not empty.</summary>
    public static void Clone(string from, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Delete(to);
        using var source = LinuxCalls.OpenBeneath(from) ?? throw LinuxCalls.Failure($"{from} cannot be opened");
        using var target = LinuxDisks.OpenOrCreate(to);
        if (LinuxDisks.TryClone(source, target))
        {
            return;
        }

        RandomAccess.SetLength(target, RandomAccess.GetLength(source));
        var buffer = new byte[1024 * 1024];
        for (var at = 0L; LinuxDisks.NextBytes(source, at) is { } bytes; at = bytes.To)
        {
            for (var place = bytes.From; place < bytes.To;)
            {
                var wanted = (int)Math.Min(buffer.Length, bytes.To - place);
                var count = RandomAccess.Read(source, buffer.AsSpan(0, wanted), place);
                if (count == 0)
                {
                    return;
                }

                RandomAccess.Write(target, buffer.AsSpan(0, count), place);
                place += count;
            }
        }
    }

    /// <summary>
    /// Lets go of the store. Nobody else uses it and no session's disk is mounted: then it is unmounted, and it is
    /// deleted when no session has anything in it.
    /// </summary>
    public void Dispose()
    {
        using (_lock)
        {
            if (!_isFile || !LinuxDisks.TryLock(_lock))
            {
                return;
            }

            var isEmpty = Names(LiveName).Count == 0 && Names(SnapshotsName).Count == 0;
            if (!LinuxDisks.IsMount(Folder) || LinuxDisks.MountsIn(_root).Any(path => path != Folder))
            {
                return;
            }

            // At once, though a disk that was just unmounted may still be on its way out: the lock of the file keeps
            // everybody from it for so long.
            LinuxDisks.Unmount(Folder);
            if (isEmpty)
            {
                File.Delete(Path.Combine(_root, FileName));
                Directory.Delete(Folder);
            }
        }
    }

    private List<string> Names(string folder)
    {
        var path = Path.Combine(Folder, folder);
        return Directory.Exists(path)
            ? [.. Directory.EnumerateFileSystemEntries(path).Select(entry => Path.GetFileName(entry))] : [];
    }

    /// <returns>Whether the store is a file of its own.</returns>
    private bool Prepare()
    {
        var file = Path.Combine(_root, FileName);
        Directory.CreateDirectory(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (LinuxDisks.IsMount(Folder))
        {
            return true;
        }

        if (!File.Exists(file) && (CanClone() || SystemProgram.Find("mkfs.xfs") is null))
        {
            return false;
        }

        if (!File.Exists(file))
        {
            var part = file + ".part";
            using (var handle = File.OpenHandle(part, FileMode.Create, FileAccess.ReadWrite))
            {
                LinuxDisks.Reserve(handle, _options.StoreStepBytes);
            }

            SystemProgram.RunOrThrow("mkfs.xfs", "-q", "-f", "-K", "-m", "reflink=1", "-s", "size=4096",
                "-d", "agcount=4", part);
            TryMount(part);
            File.Move(part, file);
            return true;
        }

        LinuxDisks.MountImage(file, Folder, "xfs", "nouuid");
        return true;
    }

    // Where nothing may be mounted, the file that was made for it is only in the way.
    private void TryMount(string part)
    {
        try
        {
            LinuxDisks.MountImage(part, Folder, "xfs", "nouuid");
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    private bool CanClone()
    {
        var (one, two) = (Path.Combine(Folder, "one"), Path.Combine(Folder, "two"));
        try
        {
            File.WriteAllBytes(one, new byte[4096]);
            using var from = LinuxDisks.OpenOrCreate(one);
            using var to = LinuxDisks.OpenOrCreate(two);
            return LinuxDisks.TryClone(from, to);
        }
        finally
        {
            File.Delete(one);
            File.Delete(two);
        }
    }

    private void MakeTemplate()
    {
        if (File.Exists(TemplatePath))
        {
            return;
        }

        // Named for this making alone: two programs may want a template of a size that is new.
        var part = $"{TemplatePath}.{Guid.NewGuid():N}";
        using (var file = File.OpenHandle(part, FileMode.Create, FileAccess.ReadWrite))
        {
            RandomAccess.SetLength(file, _options.DiskBytes);
        }

        SystemProgram.RunOrThrow(
            "mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-J", "size=" + JournalMegabytes,
            "-N", Math.Min(_options.DiskFiles, _options.DiskBytes / BytesPerFileMin)
                .ToString(CultureInfo.InvariantCulture),
            "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", part);
        var place = part + ".mount";
        Directory.CreateDirectory(place);
        SessionDisk.Mount(part, place);
        try
        {
            // Sandboxes' uids pass, and see nothing but their own.
            LinuxCalls.Mode(place, SandboxFiles.WalkOnly);
            foreach (var name in SandboxFolder.AgentFolders)
            {
                Directory.CreateDirectory(Path.Combine(place, name));
                LinuxCalls.Mode(Path.Combine(place, name), SandboxFiles.Private);
            }
        }
        finally
        {
            LinuxDisks.Unmount(place);
        }

        Directory.Delete(place);
        AtRest(part).Dispose();
        File.Move(part, TemplatePath, overwrite: true);
    }
}
