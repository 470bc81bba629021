namespace Tenon.Server.Sandboxes;

/// <content>What becomes of sandboxes that rest, and of the files of those that have ended.</content>
public sealed partial class SandboxProvider
{
    private const string FilesKept =
        "[This is a new life of the sandbox. Files are as they were; running processes, background jobs and /tmp are "
        + "gone.";

    private const string ShellKept =
        " The shell's directory, variables, functions, aliases and options were restored.]";

    private const string ShellLost = " The shell starts afresh in /workspace.]";

    /// <summary>
    /// The session's files, there to be read; also of a session whose sandbox has ended. It may have none.
    /// </summary>
    /// <exception cref="SandboxException">They are on a disk that cannot be mounted.</exception>
    public Task<SandboxFolder> OpenFiles(string sessionId, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            var folder = _files.FolderOf(sessionId);
            if (folder is { HasDisk: true } && folder.ReadRecord() is { } record)
            {
                slot.Use.Touch();
                await Task.Run(() => _disks.Mount(folder, record), cancellationToken);
            }

            return folder;
        }, cancellationToken);

    public Task<bool> Snapshot(
        string sessionId, string snapshotId, IReadOnlyCollection<string> stay, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            var folder = _files.FolderOf(sessionId);
            if (folder.ReadRecord() is not { } record || !slot.Use.TryHold())
            {
                return false;
            }

            try
            {
                if (slot is { Sandbox: { IsAlive: true } sandbox, Use.IsFrozen: false })
                {
                    await sandbox.SaveShell();
                }

                await Task.Run(() => _snapshots.Make(folder, record, snapshotId, stay), CancellationToken.None);
                return true;
            }
            finally
            {
                slot.Use.Release();
            }
        }, cancellationToken);

    /// <summary>
    /// Gives a session that has no files yet those of another as they were: the first of the snapshots that is there.
    /// </summary>
    /// <returns>Which one; null when none is there any more, and then the session begins with an empty workspace.
    /// </returns>
    /// <exception cref="SandboxException">The files could not be made.</exception>
    public Task<string?> Fork(
        string sessionId, IReadOnlyList<string> snapshots, string newSessionId, CancellationToken cancellationToken) =>
        Alone(newSessionId, async _ =>
        {
            await Task.Run(() => _files.Shared, cancellationToken);
            return await Task.Run(
                () => _snapshots.Fork(sessionId, snapshots, _files.FolderOf(newSessionId)), cancellationToken);
        }, cancellationToken);

    /// <summary>Freezes what has rested for long, and ends what has rested for longer.</summary>
    public async Task Rest(CancellationToken cancellationToken)
    {
        LauncherReaper.Sweep();
        var now = _time.GetUtcNow();
        foreach (var (sessionId, slot) in _slots)
        {
            if (slot.Use.RestsSince <= now - _options.EndAfter)
            {
                await EndResting(sessionId, now - _options.EndAfter, cancellationToken);
            }
            else if (slot.Sandbox is { } sandbox)
            {
                slot.Use.TryFreeze(now - _options.FreezeAfter,
                    () => _driver.Freeze(sandbox.Instance), () => _driver.Thaw(sandbox.Instance));
            }
        }
    }

    /// <summary>Whether a session's sandbox is frozen.</summary>
    internal bool IsFrozen(string sessionId) => _slots.TryGetValue(sessionId, out var slot) && slot.Use.IsFrozen;

    private Task<bool> EndResting(string sessionId, DateTimeOffset before, CancellationToken cancellationToken) =>
        Alone(sessionId, async slot =>
        {
            // What comes now waits at the gate, and finds the sandbox gone.
            if (slot.Use.RestsSince > before || !slot.Use.TryHold())
            {
                return false;
            }

            try
            {
                var folder = _files.FolderOf(sessionId);
                if (slot is { Sandbox: { IsAlive: true } sandbox, Use.IsFrozen: false })
                {
                    await sandbox.SaveShell();
                }

                await Release(slot);
                await EndAlone(folder, folder.ReadRecord());
                await Task.Run(() => SandboxDisks.Unmount(folder, isTrimmed: true), CancellationToken.None);
                _slots.TryRemove(sessionId, out _);
                return true;
            }
            finally
            {
                slot.Use.Release();
            }
        }, cancellationToken);

    /// <summary>
    /// At a start: what is open of a session rests here from now on, and a start that a crash cut short is ended. Its
    /// processes would hold the disks of all sessions, which they have a copy of the mounts of.
    /// </summary>
    private async Task FindAgain(string sessionId, CancellationToken cancellationToken)
    {
        var folder = _files.FolderOf(sessionId);
        if (folder.ReadRecord() is not { } record)
        {
            return;
        }

        using var process = SandboxProcess.Find(record.Pid, record.StartedTicks);
        if (process is not null || LinuxDisks.IsMount(folder.Disk))
        {
            _slots.GetOrAdd(sessionId, _ => new Slot(_time));

            // Of what it did while no server was there, and of what was done to its stores, nobody was told.
            MemoryWritten?.Invoke(sessionId);
        }

        if (record.IsStarting)
        {
            await Alone(sessionId, async _ =>
            {
                // At the gate it may turn out to be a start of this server, which has succeeded meanwhile.
                await Task.Run(
                    () => End(folder.ReadRecord() is { IsStarting: true } cut ? cut : null), cancellationToken);
                return true;
            }, cancellationToken);
        }
    }
}
