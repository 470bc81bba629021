using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tenon.Server.Egress;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The life of sandboxes, whatever driver starts them. A sandbox outlives this object and its process, so that work
/// goes on through a restart; only <see cref="Destroy"/> and <see cref="Reap"/> end one.
/// </summary>
public sealed class SandboxProvider : ISandboxProvider, IAsyncDisposable
{
    /// <summary>A hand answers in milliseconds; on a host that is so busy, a start has failed.</summary>
    private static readonly TimeSpan HelloTime = TimeSpan.FromSeconds(15);

    private readonly SandboxFiles _files;
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
        _files = new SandboxFiles(options);
        _sockets = new SandboxSockets(options);
        _options = options;
        _driver = SandboxDrivers.Of(options, _files, time);
    }

    /// <summary>Where the sessions' folders are; not always below the data directory.</summary>
    public string Root => _files.Root;

    /// <summary>The session's files on this machine, whether or not they exist yet.</summary>
    public SandboxFolder FolderOf(string sessionId) => _files.FolderOf(sessionId);

    public Task<ISandbox> Open(string sessionId, CancellationToken cancellationToken) =>
        Alone<ISandbox>(sessionId, async slot =>
        {
            if (slot.Sandbox is { IsAlive: true } living)
            {
                return living;
            }

            await Release(slot);
            var folder = _files.FolderOf(sessionId);
            var record = Prepare(folder);
            await Place(folder, record, sessionId, cancellationToken);
            LetOut(sessionId, folder, record.Uid);
            slot.Sandbox = await Attach(folder, cancellationToken)
                ?? await Task.Run(() => Start(folder, cancellationToken), cancellationToken);
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
    /// Ends the session's sandbox and keeps its files; the next <see cref="Open"/> starts a fresh one.
    /// </summary>
    public Task Stop(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            await Release(slot);
            var record = _files.FolderOf(sessionId).ReadRecord();
            await Task.Run(() => End(record), CancellationToken.None);
            await ShutIn(sessionId);
            return true;
        }, cancellationToken);

    public Task Destroy(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            await Release(slot);
            _slots.TryRemove(sessionId, out _);
            var folder = _files.FolderOf(sessionId);
            var record = folder.ReadRecord();
            await Task.Run(() => End(record), CancellationToken.None);
            await ShutIn(sessionId);
            await Task.Run(() => SandboxFiles.Delete(folder), CancellationToken.None);
            _files.ReleaseUid(record?.Uid);
            return true;
        }, cancellationToken);

    /// <summary>
    /// Ends the sandboxes, and deletes the files, of sessions that are no more. For the start of a server.
    /// </summary>
    public async Task Reap(Func<string, ValueTask<bool>> sessionExists, CancellationToken cancellationToken)
    {
        foreach (var sessionId in _files.Sessions())
        {
            if (!await sessionExists(sessionId))
            {
                await Destroy(sessionId, cancellationToken);
            }
        }

        _driver.Collect();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var slot in _slots.Values)
        {
            await Release(slot);
        }
    }

    /// <summary>
    /// The living sandbox of an earlier server, or null. One that does not answer as it should is ended.
    /// </summary>
    private async Task<HandSandbox?> Attach(SandboxFolder folder, CancellationToken cancellationToken)
    {
        if (folder.ReadRecord() is not { Instance: { } instance, Socket: { } socket } record)
        {
            return null;
        }

        // One that another driver started lacks what this one was chosen for.
        if (record.Driver == _driver.Name
            && SandboxProcess.Find(record.Pid, record.StartedTicks) is { } process)
        {
            try
            {
                return await Greet(process, instance, socket, cancellationToken);
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

    private async Task<HandSandbox> Start(SandboxFolder folder, CancellationToken cancellationToken)
    {
        var record = Prepare(folder);
        var instance = $"hand_{RandomNumberGenerator.GetHexString(24, lowercase: true)}";
        var socket = _sockets.PathFor(instance);
        var process = await Launch(SandboxDescription.Of(_options, _files, folder, record.Uid, instance), socket);
        try
        {
            folder.WriteRecord(record with
            {
                Instance = instance,
                Pid = process.Pid,
                StartedTicks = process.StartedTicks,
                Socket = socket,
                Driver = _driver.Name,
            });
            return await Greet(process, instance, socket, cancellationToken);
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
            using var listener = SandboxSockets.Listen(socket);
            return await _driver.Start(description, listener.SafeHandle);
        }
        catch
        {
            // Whatever went wrong, nobody will listen there.
            File.Delete(socket);
            throw;
        }
    }

    private async Task Place(
        SandboxFolder folder, SandboxRecord record, string sessionId, CancellationToken cancellationToken)
    {
        var uploads = await _uploadsOf(sessionId, cancellationToken);
        try
        {
            await Task.Run(() => SandboxUploads.Place(folder, uploads, record.Uid), cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk's word is the reason; the caller needs to know that files are missing.
            throw new SandboxException($"The session's uploads could not be placed: {exception.Message}", exception);
        }
    }

    private void LetOut(string sessionId, SandboxFolder folder, int? uid)
    {
        try
        {
            _egress?.Listen(sessionId, folder.Egress, uid);
        }
        catch (Exception exception) when (exception is IOException or SocketException or UnauthorizedAccessException)
        {
            // A sandbox that can reach nothing would fail in ways that nobody understands.
            throw new SandboxException($"The sandbox's way out could not be made: {exception.Message}", exception);
        }
    }

    private Task ShutIn(string sessionId) => _egress?.Close(sessionId) ?? Task.CompletedTask;

    private SandboxRecord Prepare(SandboxFolder folder)
    {
        try
        {
            return _files.Prepare(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk's word is the reason; the caller needs to know that no sandbox came of it.
            throw new SandboxException($"The sandbox's files could not be made: {exception.Message}", exception);
        }
    }

    private async Task<HandSandbox> Greet(
        SandboxProcess process, string instance, string socket, CancellationToken cancellationToken)
    {
        var connection = await HandConnection.Open(socket, cancellationToken);
        try
        {
            var hello = await connection.Ask(new HandRequest { Id = 0, Verb = HandVerbs.Hello }, cancellationToken)
                .WaitAsync(HelloTime, _time, cancellationToken);
            return hello.Instance == instance && hello.Protocol == HandProtocol.Version
                ? new HandSandbox(instance, process, connection, _time)
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
            var slot = _slots.GetOrAdd(sessionId, _ => new Slot());
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

    private sealed class Slot
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        public HandSandbox? Sandbox { get; set; }
    }
}
