using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tenon.Server.Egress;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The life of sandboxes, whatever driver starts them. A sandbox outlives this object and its process, so that work
/// goes on through a restart; only this object's own methods end one, and none of them is called when the server stops.
/// </summary>
public sealed partial class SandboxProvider : ISandboxProvider, IAsyncDisposable
{
    /// <summary>A hand answers in milliseconds; on a host that is so busy, a start has failed.</summary>
    private static readonly TimeSpan HelloTime = TimeSpan.FromSeconds(15);

    private readonly SandboxFiles _files;
    private readonly SandboxDisks _disks;
    private readonly SandboxSnapshots _snapshots;
    private readonly SandboxSockets _sockets;
    private readonly ISandboxDriver _driver;
    private readonly SandboxOptions _options;
    private readonly TimeProvider _time;
    private readonly UploadsOf _uploadsOf;
    private readonly EgressProxy? _egress;
    private readonly ConcurrentDictionary<string, Slot> _slots = new(StringComparer.Ordinal);

    /// <param name="uploadsOf">Which uploads a session has now; null gives none to any.</param>
    /// <param name="egress">The way out; null leaves none.</param>
    public SandboxProvider(
        SandboxOptions options, TimeProvider time, UploadsOf? uploadsOf = null, EgressProxy? egress = null)
    {
        (_time, _egress) = (time, egress);
        _uploadsOf = uploadsOf ?? ((_, _) => Task.FromResult<IReadOnlyList<SandboxUpload>>([]));
        _files = new SandboxFiles(options, egress is null ? null : () => egress.TrustedPem);
        _disks = new SandboxDisks(_files.Root, options, time);
        _snapshots = new SandboxSnapshots(_files, _disks);
        _sockets = new SandboxSockets(options);
        _options = options;
        _driver = SandboxDrivers.Of(options, _files, time);
    }

    /// <summary>Where the sessions' folders are; not always below the data directory.</summary>
    public string Root => _files.Root;

    /// <summary>The sessions that have files here.</summary>
    public IReadOnlyList<string> Sessions => _files.Sessions();

    /// <summary>Whether sessions have disks of their own.</summary>
    public bool HasDisks => _files.Shared.Length > 0 && _disks.AreUsed;

    internal bool HasOwnKernel => _driver.HasOwnKernel;

    /// <summary>Why sessions have none; null when they do.</summary>
    public string? DiskLack => _disks.Lack;

    /// <summary>What the operator must know of the disk below the sessions' files; null when there is room.</summary>
    public string? DiskShortage => _disks.Shortage();

    /// <summary>The session's files on this machine, whether or not they exist yet.</summary>
    public SandboxFolder FolderOf(string sessionId) => _files.FolderOf(sessionId);

    /// <summary>What a new life of a session's sandbox has beyond the base; null leaves it at that.</summary>
    internal LayerOf? Layers { get; init; }

    /// <summary>What a living sandbox is given beside its mounts; null for nothing.</summary>
    internal ProvisionOf? Provision { get; init; }

    // A layer may take minutes to make, and meanwhile the session can be ended: it is waited for outside the gate.
    public async Task<ISandbox> Open(string sessionId, CancellationToken cancellationToken) =>
        await Open(sessionId, Layers is null ? SandboxLayer.None : null, cancellationToken)
        ?? (await Open(sessionId, await Layers!(sessionId, cancellationToken), cancellationToken))!;

    /// <param name="layer">Of a life that begins; null when it is not known, and then none begins.</param>
    private Task<ISandbox?> Open(string sessionId, SandboxLayer? layer, CancellationToken cancellationToken) =>
        Alone<ISandbox?>(sessionId, async slot =>
        {
            slot.Use.Touch();
            if (slot.Sandbox is { IsAlive: true } living)
            {
                return living;
            }

            await Release(slot);
            var folder = _files.FolderOf(sessionId);
            if (folder.ReadRecord() is { } known)
            {
                LetOut(sessionId, folder, known.Uid);
            }

            if (await Attach(folder, slot.Use, cancellationToken) is { } found)
            {
                slot.Sandbox = found;
                BeginProvision(sessionId, found);
                TellFound(sessionId);
                await Place(folder, folder.ReadRecord()!, sessionId, cancellationToken);
                return found;
            }

            if (layer is null)
            {
                return null;
            }

            var isNew = folder.ReadRecord() is null;
            var record = await Task.Run(() => Prepare(folder), cancellationToken);
            await Place(folder, record, sessionId, cancellationToken);
            LetOut(sessionId, folder, record.Uid);
            await PlaceMemories(folder, layer, cancellationToken);
            record = record with { Notice = isNew ? null : FilesKept };
            slot.Sandbox = await Task.Run(
                () => Start(folder, record, layer, slot.Use, cancellationToken), cancellationToken);
            BeginProvision(sessionId, slot.Sandbox);
            return slot.Sandbox;
        }, cancellationToken);

    public Task PlaceUploads(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async _ =>
        {
            var folder = _files.FolderOf(sessionId);
            if (folder.ReadRecord() is { } record)
            {
                await Place(folder, record, sessionId, cancellationToken);
            }

            return true;
        }, cancellationToken);

    /// <summary>
    /// Ends the session's sandbox and keeps its files; the next call opens a fresh one.
    /// </summary>
    public Task Stop(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            await Release(slot);
            var folder = _files.FolderOf(sessionId);
            var record = folder.ReadRecord();
            await EndAlone(folder, record);
            await Task.Run(() => SandboxDisks.Unmount(folder), CancellationToken.None);
            return true;
        }, cancellationToken);

    public Task Destroy(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            await Release(slot);
            _slots.TryRemove(sessionId, out _);
            var folder = _files.FolderOf(sessionId);
            var record = folder.ReadRecord();
            await EndAlone(folder, record);
            await Task.Run(() => Delete(folder), CancellationToken.None);
            _files.Uids.Release(record?.Uid);
            return true;
        }, cancellationToken);

    /// <summary>
    /// Ends the sandboxes, and deletes the files, of sessions that are no more. For the start of a server.
    /// </summary>
    public Task Reap(Func<string, ValueTask<bool>> sessionExists, CancellationToken cancellationToken) =>
        Reap(sessionExists, TimeSpan.Zero, cancellationToken);

    /// <summary>The same while a server runs, of what is as old as <paramref name="age"/> at least.</summary>
    public async Task Reap(
        Func<string, ValueTask<bool>> sessionExists, TimeSpan age, CancellationToken cancellationToken)
    {
        foreach (var sessionId in _files.Sessions().Union(Kept()).ToList())
        {
            if (!await sessionExists(sessionId) && IsOlder(sessionId, age))
            {
                await Destroy(sessionId, cancellationToken);
            }
            else
            {
                await FindAgain(sessionId, cancellationToken);
            }
        }

        _driver.Collect();
        _sockets.Collect();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var slot in _slots.Values)
        {
            await Release(slot);
        }

        _disks.Dispose();
    }

    // The time of a folder is by the kernel's clock.
    private bool IsOlder(string sessionId, TimeSpan age) => age == TimeSpan.Zero
        || Directory.GetLastWriteTimeUtc(_files.FolderOf(sessionId).Path) < TimeProvider.System.GetUtcNow() - age;

    private IEnumerable<string> Kept() => [.. _disks.Sessions(), .. _snapshots.Sessions()];

    // The disk first: what is deleted below must be no live mount.
    private void Delete(SandboxFolder folder)
    {
        _disks.Delete(folder);
        _snapshots.DeleteAll(folder.Name);
        SandboxFiles.Delete(folder);
    }

    /// <summary>
    /// The living sandbox of an earlier server, or null. One that does not answer as it should is ended.
    /// </summary>
    private async Task<HandSandbox?> Attach(
        SandboxFolder folder, SandboxUse use, CancellationToken cancellationToken)
    {
        if (folder.ReadRecord() is not { Instance: { } instance, Socket: not null } record)
        {
            return null;
        }

        // One that another driver started lacks what this one was chosen for.
        if (record.Driver == _driver.Name
            && SandboxProcess.Find(record.Pid, record.StartedTicks) is { } process)
        {
            try
            {
                // An earlier server may have frozen it, or died while its disk was held still.
                _driver.Thaw(instance);
                SessionDisk.Thaw(folder.Disk);
                return await Greet(process, folder.Name, record, use, cancellationToken);
            }
            catch (SandboxException)
            {
                // A process without a hand is of no use: a fresh sandbox takes its place.
                process.Dispose();
            }
        }

        End(record);
        return null;
    }

    private async Task<HandSandbox> Start(
        SandboxFolder folder, SandboxRecord record, SandboxLayer layer, SandboxUse use,
        CancellationToken cancellationToken)
    {
        var instance = $"hand_{RandomNumberGenerator.GetHexString(24, lowercase: true)}";
        var socket = _sockets.PathFor(instance);

        // A crash from here on leaves processes that nothing but this name leads to.
        record = record with
        {
            Instance = instance, Pid = 0, StartedTicks = 0, Socket = socket, Driver = _driver.Name,
        };
        folder.WriteRecord(record);
        var process = await Launch(
            SandboxDescription.Of(_options, _files, folder, record.Uid, instance).With(layer), socket);
        try
        {
            record = record with { Pid = process.Pid, StartedTicks = process.StartedTicks };
            folder.WriteRecord(record);
            var sandbox = await Greet(process, folder.Name, record, use, cancellationToken);
            if (sandbox.Notice != record.Notice)
            {
                folder.WriteRecord(record with { Notice = sandbox.Notice });
            }

            return sandbox;
        }
        catch (Exception exception)
        {
            // Nothing half-started stays; what it said goes with the failure.
            _driver.End(instance, process);
            process.Dispose();
            File.Delete(socket);
            throw exception is SandboxException
                ? new SandboxException($"The sandbox did not start: {folder.ReadLog()}", exception)
                : exception;
        }
    }

    private async Task<SandboxProcess> Launch(SandboxDescription description, string socket)
    {
        // The sandbox inherits it, and its filter keeps it. The server, which has keys in memory, shall leave none too.
        LinuxCalls.ForbidCoreDumps();
        try
        {
            return await _driver.Start(description, socket);
        }
        catch
        {
            // Whatever went wrong, nobody will listen there.
            File.Delete(socket);
            throw;
        }
    }

    private SandboxRecord Prepare(SandboxFolder folder)
    {
        try
        {
            return _files.Prepare(folder, _disks);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException
            or System.ComponentModel.Win32Exception)
        {
            // The disk's word is the reason; the caller needs to know that no sandbox came of it.
            throw new SandboxException($"The sandbox's files could not be made: {exception.Message}", exception);
        }
    }

    private async Task<HandSandbox> Greet(
        SandboxProcess process, string sessionId, SandboxRecord record, SandboxUse use,
        CancellationToken cancellationToken)
    {
        var connection = await HandConnection.Open(record.Socket!, word => Hear(sessionId, word), cancellationToken);
        try
        {
            var hello = await connection.Ask(new HandRequest { Id = 0, Verb = HandVerbs.Hello }, cancellationToken)
                .WaitAsync(HelloTime, _time, cancellationToken);
            return hello.Instance == record.Instance && hello.Protocol == HandProtocol.Version
                ? new HandSandbox(record.Instance!, process, connection, use, _time)
                {
                    Socket = record.Socket!,
                    Notice = record.Notice is FilesKept ? FilesKept + (hello.RestoresShell ? ShellKept : ShellLost)
                        : record.Notice,
                }
                : throw new SandboxException("The sandbox's hand is another one, or of another version.");
        }
        catch (Exception exception)
        {
            // The connection is this method's until it is handed on.
            await connection.DisposeAsync();
            throw exception is TimeoutException
                ? new SandboxException($"The sandbox's hand did not answer within {HelloTime.TotalSeconds} s.")
                : exception;
        }
    }

    private void End(SandboxRecord? record)
    {
        if (record is { Instance: { } instance, Socket: { } socket })
        {
            if (record.IsStarting)
            {
                SandboxProcess.KillAll(instance);
            }

            using var process = SandboxProcess.Find(record.Pid, record.StartedTicks);
            var driver = record.Driver == _driver.Name
                ? _driver
                : SandboxDrivers.Named(record.Driver, _options, _files, _time) ?? _driver;
            driver.End(instance, process);
            File.Delete(socket);
        }
    }

    private static async Task Release(Slot slot)
    {
        slot.Use.Forget();
        if (slot.Sandbox is { } sandbox)
        {
            slot.Sandbox = null;
            await sandbox.DisposeAsync();
        }
    }

    /// <summary>Runs <paramref name="work"/> while no other work on the same session runs.</summary>
    private async Task<T> Alone<T>(string sessionId, Func<Slot, Task<T>> work, CancellationToken cancellationToken)
    {
        while (true)
        {
            var slot = _slots.GetOrAdd(sessionId, _ => new Slot(_time));
            await slot.Gate.WaitAsync(cancellationToken);
            try
            {
                // A destroyed session's slot is no longer the one that others wait on.
                if (_slots.TryGetValue(sessionId, out var current) && current == slot)
                {
                    return await work(slot);
                }
            }
            finally
            {
                slot.Gate.Release();
            }
        }
    }

    /// <summary>Which uploads a session has now.</summary>
    public delegate Task<IReadOnlyList<SandboxUpload>> UploadsOf(
        string sessionId, CancellationToken cancellationToken);

    private sealed class Slot(TimeProvider time)
    {
        public SandboxUse Use { get; } = new(time);

        public SemaphoreSlim Gate { get; } = new(1, 1);

        public HandSandbox? Sandbox { get; set; }
    }
}
