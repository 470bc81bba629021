using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>Sandboxes by bubblewrap: namespaces of an unprivileged user, who shares the host's kernel.</summary>
internal sealed class BubblewrapDriver(SandboxOptions options, SandboxFiles files, TimeProvider time) : ISandboxDriver
{
    /// <summary>The name of this driver in settings.</summary>
    public const string Kind = "bubblewrap";

    /// <summary>A busy kernel refuses a fork for a moment after a sandbox with many processes has ended.</summary>
    private const int AttemptsMax = 4;

    private const int TryAgain = 11;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);

    private readonly BubblewrapCommand _command = new(options, files);
    // It compares with the times of folders, which the kernel's clock gives.
    private readonly SandboxCgroup _cgroup = new(TimeProvider.System);

    public string Name => Kind;

    public bool HasOwnKernel => false;

    public IReadOnlyList<ProbeResult> Check() => BubblewrapPrerequisites.Check(options);

    public async Task<SandboxProcess> Start(SandboxDescription description, string socket)
    {
        using var listener = SandboxSockets.Listen(socket);
        var line = _command.Build(description);
        for (var attempt = 1; ; attempt++)
        {
            var (process, error) = Once(description, line, listener.SafeHandle);
            if (process is not null)
            {
                return process;
            }

            if (attempt == AttemptsMax || !error.Contains("temporarily unavailable", StringComparison.Ordinal))
            {
                throw new SandboxException($"The sandbox did not start: {error} `tenon doctor` says what is missing.");
            }

            await Task.Delay(FirstPause * attempt, time);
        }
    }

    public void End(string instance, SandboxProcess? process)
    {
        // A frozen process of a version 1 group would not even die.
        _cgroup.Thaw(instance);
        process?.Kill();
        _cgroup.Remove(instance);
        LauncherReaper.Sweep();
    }

    public bool Freeze(string instance) => _cgroup.Freeze(instance);

    public void Thaw(string instance) => _cgroup.Thaw(instance);

    public void Collect() => _cgroup.RemoveEmpty();

    private (SandboxProcess? Process, string Error) Once(
        SandboxDescription description, List<string> line, SafeHandle listener)
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        using var log = File.OpenHandle(
            description.Folder.LogPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        using var filter = File.OpenHandle(Path.Combine(files.Shared, SandboxFiles.FilterName));
        var (infoRead, infoWrite) = LinuxCalls.Pipe();
        var (gateRead, gateWrite) = LinuxCalls.Pipe();
        using (infoRead)
        using (gateWrite)
        {
            int launcher;
            using (infoWrite)
            using (gateRead)
            {
                var high = ((SafeHandle[])[nothing, log, log, listener, filter, infoWrite, gateRead])
                    .Select(LinuxCalls.DuplicateHigh).ToList();
                launcher = ChildProcess.Start(line, high);
                high.ForEach(handle => handle.Dispose());
            }

            if (launcher == -TryAgain)
            {
                return (null, "Resource temporarily unavailable.");
            }

            if (launcher < 0)
            {
                throw new SandboxException($"{line[0]} cannot be started: error {-launcher}. Is it installed?");
            }

            LauncherReaper.Add(launcher);
            if (SandboxProcess.Find(ReadPid(infoRead), null) is not { } process)
            {
                return (null, description.Folder.ReadLog());
            }

            Bound(process, description);
            using var gate = new FileStream(gateWrite, FileAccess.Write, 0);
            gate.Write("1"u8);
            return (process, "");
        }
    }

    // Before the gate opens: nothing of the sandbox may run outside its bounds.
    private void Bound(SandboxProcess process, SandboxDescription description)
    {
        try
        {
            _cgroup.Join(description.Instance, process.Pid, description.Limits);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Killed first, because closing the gate would open it. One that had ended by itself has said why.
            var reason = process.IsAlive ? $"could not be bounded: {exception.Message}"
                : $"did not start: {description.Folder.ReadLog()}";
            process.Kill();
            process.Dispose();
            _cgroup.Remove(description.Instance);
            throw new SandboxException($"The sandbox {reason}", exception);
        }
    }

    /// <summary>The pid from bubblewrap's information, or 0 when it ended before it gave any.</summary>
    private static int ReadPid(SafeFileHandle info)
    {
        using var stream = new FileStream(info, FileAccess.Read, 0);
        var text = new StringBuilder();
        var buffer = new byte[512];
        int count;
        while (!text.ToString().Contains('}', StringComparison.Ordinal) && (count = stream.Read(buffer)) > 0)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        try
        {
            return JsonDocument.Parse(text.ToString()).RootElement.GetProperty("child-pid").GetInt32();
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException)
        {
            // It failed before it had a child; the log has its words.
            return 0;
        }
    }
}
