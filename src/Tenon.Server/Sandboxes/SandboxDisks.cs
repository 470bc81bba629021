using System.ComponentModel;
using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The disks of all sessions: a disk of its own for each where the machine allows, else folders on the host's.
/// </summary>
internal sealed class SandboxDisks : IDisposable
{
    private const long Mebibyte = 1024 * 1024;

    /// <summary>A sandbox that writes as fast as it can fills a quarter of a step of the store in no less.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    private readonly string _root;
    private readonly SandboxOptions _options;
    private readonly TimeProvider _time;
    private readonly Lazy<DiskStore?> _store;

    // Not disposed: who is disposed of twice looks at it.
    private readonly CancellationTokenSource _stop = new();
    private string? _refusal;

    public SandboxDisks(string root, SandboxOptions options, TimeProvider time)
    {
        (_root, _options, _time) = (root, options, time);
        _store = new Lazy<DiskStore?>(OpenStore);
    }

    /// <summary>Whether new sessions get a disk. Making that known makes the store.</summary>
    public bool AreUsed => _store.Value is not null;

    /// <summary>Why they get none; null when they do.</summary>
    public string? Lack => _store.Value is null ? _refusal : null;

    /// <summary>What the operator must know of the disk below the sessions' files; null when there is room.</summary>
    public string? Shortage()
    {
        var free = _store is { IsValueCreated: true, Value: { } store } ? store.FreeBytes
            : Directory.Exists(_root) ? LinuxDisks.FreeBytes(_root) : long.MaxValue;
        return free >= _options.ReserveBytes ? null : string.Create(CultureInfo.InvariantCulture,
            $"The disk below the sandboxes has {free / Mebibyte} MiB free, and {_options.ReserveBytes / Mebibyte} MiB "
            + $"are kept in reserve. No new sandbox gets files until some of it is free; those that run go on.");
    }

    /// <summary>
    /// Makes a disk for a session and mounts it, empty or with what an image has. False where sessions get folders.
    /// </summary>
    /// <exception cref="SandboxException">There is no room for more.</exception>
    public bool Make(SandboxFolder folder, SnapshotSource? source, int? uid)
    {
        var store = _store.Value;
        store?.Grow();
        if (Shortage() is { } shortage)
        {
            throw new SandboxException(shortage);
        }

        if (store is null)
        {
            return false;
        }

        Place(folder, store, source is { Uid: not null } ? source.Path : store.TemplatePath,
            source?.Uid is { } from && uid is { } to ? (from, to) : null);
        return true;
    }

    /// <summary>Where a session's snapshots stand; null where sessions have no disks.</summary>
    public string? SnapshotsOf(string sessionId) => Present?.SnapshotsOf(sessionId);

    /// <summary>Keeps a session's disk as it is now.</summary>
    /// <exception cref="SandboxException">There is no room for it.</exception>
    public void Snapshot(SandboxFolder folder, string name) => Guard(() =>
    {
        if (_store.Value is not { } store || Shortage() is not null)
        {
            throw new SandboxException("No snapshot was made: " + (Shortage() ?? _refusal));
        }

        var target = Path.Combine(store.SnapshotsOf(folder.Name), name);
        Directory.CreateDirectory(store.SnapshotsOf(folder.Name));
        if (LinuxDisks.IsMount(folder.Disk))
        {
            SessionDisk.Snapshot(folder.Disk, store.ImageOf(folder.Name), target);
        }
        else
        {
            DiskStore.CloneAtRest(store.ImageOf(folder.Name), target + ".part");
            File.Move(target + ".part", target);
        }
    });

    /// <summary>Mounts a session's disk, as after a restart of the machine; moves folders of old to a disk.</summary>
    /// <exception cref="SandboxException">It has one and it cannot be mounted.</exception>
    public void Mount(SandboxFolder folder, SandboxRecord record)
    {
        if (!folder.HasDisk)
        {
            MoveToDisk(folder);
            return;
        }

        if (LinuxDisks.IsMount(folder.Disk))
        {
            SessionDisk.Thaw(folder.Disk);
        }
        else
        {
            var store = _store.Value ?? throw new SandboxException(
                $"The session's files are on a disk of their own, and none can be mounted: {_refusal}.");
            Show(folder, store, record.Uid is { } uid && record.DiskUid is { } disk ? (disk, uid) : null);
        }
    }

    /// <summary>Takes the disk away and keeps it.</summary>
    public static void Unmount(SandboxFolder folder, bool isTrimmed = false)
    {
        if (folder.HasDisk)
        {
            Guard(() => SessionDisk.Unmount(folder.Disk, isTrimmed));
        }
    }

    /// <summary>Takes the disk away for good.</summary>
    public void Delete(SandboxFolder folder)
    {
        Unmount(folder);
        if (Present is { } store)
        {
            File.Delete(store.ImageOf(folder.Name));
        }
    }

    /// <summary>Sessions that have a disk, or snapshots, whether or not they have a folder.</summary>
    public IReadOnlyList<string> Sessions() => Present is not { } store ? []
        : [.. store.Images().Union(store.WithSnapshots(), StringComparer.Ordinal)];

    /// <summary>
    /// A session's files for a reader beside the server: where they are mounted, or else a copy of the disk, mounted
    /// for as long as the look lasts.
    /// </summary>
    public DiskLook Look(SandboxFolder folder, SandboxRecord record)
    {
        if (!folder.HasDisk || LinuxDisks.IsMount(folder.Disk) || _store.Value is not { } store)
        {
            return new DiskLook(folder.HasDisk ? folder.Disk : folder.Path, null);
        }

        var image = Path.Combine(store.Folder, $"look-{folder.Name}.img");
        var place = Path.Combine(store.Folder, $"look-{folder.Name}");
        Guard(() =>
        {
            DiskStore.CloneAtRest(store.ImageOf(folder.Name), image);
            Directory.CreateDirectory(place);
            SessionDisk.Mount(image, place);
            if (record.Uid is { } uid && record.DiskUid is { } disk && disk != uid)
            {
                OwnerMap.Apply(place, disk, uid);
            }
        });
        return new DiskLook(place, image);
    }

    public void Dispose()
    {
        if (_stop.IsCancellationRequested)
        {
            return;
        }

        _stop.Cancel();
        if (_store is { IsValueCreated: true, Value: { } store })
        {
            store.Dispose();
        }
    }

    /// <summary>The store, if there is one: what looks for something in it need not make it.</summary>
    private DiskStore? Present => _store.IsValueCreated || DiskStore.IsIn(_root) ? _store.Value : null;

    private static void Place(
        SandboxFolder folder, DiskStore store, string image, (int From, int To)? owner) => Guard(() =>
    {
        if (LinuxDisks.IsMount(folder.Disk))
        {
            // Half a start, which its record does not name.
            LinuxDisks.Unmount(folder.Disk);
        }

        DiskStore.Clone(image, store.ImageOf(folder.Name));
        Directory.CreateDirectory(folder.Disk);
        Show(folder, store, owner);
    });

    private static void Show(SandboxFolder folder, DiskStore store, (int From, int To)? owner) => Guard(() =>
    {
        SessionDisk.Mount(store.ImageOf(folder.Name), folder.Disk);
        if (owner is var (from, to) && from != to)
        {
            OwnerMap.Apply(folder.Disk, from, to);
        }
    });

    /// <summary>
    /// Of a session whose files were made without disks, or restored from a backup: they get the limits of all others.
    /// Until the image has its name they are only copied.
    /// </summary>
    private void MoveToDisk(SandboxFolder folder)
    {
        if (_store.Value is not { } store || !Directory.Exists(folder.Workspace))
        {
            return;
        }

        var (part, place) = (store.ImageOf(folder.Name) + ".part", folder.Disk + ".part");
        Guard(() =>
        {
            SessionDisk.Unmount(place);
            DiskStore.Clone(store.TemplatePath, part);
            Directory.CreateDirectory(place);
            SessionDisk.Mount(part, place);
            try
            {
                SystemProgram.RunOrThrow("cp", ["-a", "--sparse=always", "--", .. SandboxFolder.AgentFolders
                    .Select(name => Path.Combine(folder.Path, name)), place]);
            }
            finally
            {
                SessionDisk.Unmount(place);
                Directory.Delete(place);
            }

            File.Move(part, store.ImageOf(folder.Name), overwrite: true);
            Directory.CreateDirectory(folder.Disk);
            Show(folder, store, null);
            foreach (var name in SandboxFolder.AgentFolders)
            {
                SystemProgram.RunOrThrow("rm", "-rf", "--one-file-system", "--", Path.Combine(folder.Path, name));
            }
        });
    }

    private DiskStore? OpenStore()
    {
        if (DiskStore.Lack(_options) is var (why, _))
        {
            _refusal = why;
            return null;
        }

        try
        {
            var store = DiskStore.Open(_root, _options);
            _ = Watch(store, _stop.Token);
            return store;
        }
        catch (IOException exception)
        {
            // A container's root often may not mount; the doctor says so, and sessions get folders.
            _refusal = exception.Message;
            return null;
        }
    }

    private async Task Watch(DiskStore store, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(LookInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                try
                {
                    store.Grow();
                }
                catch (Exception exception) when (exception is IOException or Win32Exception or SandboxException)
                {
                    // It has as much room as before; when that gets short, whoever wants more is told.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private static void Guard(Action act)
    {
        try
        {
            act();
        }
        catch (Exception exception) when (exception is Win32Exception or IOException)
        {
            // The kernel's word is the reason; the caller needs to know that the session has no files now.
            throw new SandboxException($"The session's disk could not be used: {exception.Message}", exception);
        }
    }
}

/// <summary>A session's files, for as long as somebody looks at them.</summary>
/// <param name="image">The image that goes with the look.</param>
internal sealed class DiskLook(string path, string? image) : IDisposable
{
    public string Path => path;

    public void Dispose()
    {
        if (image is not null)
        {
            SessionDisk.Unmount(path);
            Directory.Delete(path);
            File.Delete(image);
        }
    }
}
