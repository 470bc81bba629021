using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>A sandbox that has just been started.</summary>
internal sealed record StartedSandbox(SandboxProcess Process, int LauncherPid);

/// <summary>One start of bubblewrap.</summary>
/// <remarks>
/// The hand gets its socket listening already, as a descriptor. Its path is therefore nowhere inside, where a command
/// could replace it, and the server can connect before the hand runs.
/// </remarks>
internal sealed class BubblewrapStart(
    BubblewrapCommand command, SandboxFiles files, SandboxCgroup cgroup, TimeProvider time)
{
    /// <summary>A busy kernel refuses a fork for a moment after a sandbox with many processes has ended.</summary>
    private const int AttemptsMax = 4;

    private const int TryAgain = 11;
    private const int ListenBacklog = 8;
    private const string NewSuffix = "~";
    private const int LogCharsMax = 2000;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);

    public async Task<StartedSandbox> Run(SandboxFolder folder, int? uid, string instance, string socketPath)
    {
        // The sandbox inherits it, and its filter keeps it. The server, which has keys in memory, shall leave none too.
        LinuxCalls.ForbidCoreDumps();
        try
        {
            return await Attempt(folder, uid, instance, socketPath);
        }
        catch
        {
            // Whatever went wrong, nobody will listen there.
            File.Delete(socketPath);
            throw;
        }
    }

    private async Task<StartedSandbox> Attempt(SandboxFolder folder, int? uid, string instance, string socketPath)
    {
        for (var attempt = 1; ; attempt++)
        {
            File.Delete(socketPath);
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            // NOTE: bound under one name and used under another, because disposing of a socket deletes its name.
            listener.Bind(new UnixDomainSocketEndPoint(socketPath + NewSuffix));
            listener.Listen(ListenBacklog);
            File.Move(socketPath + NewSuffix, socketPath);
            var (started, error) = Once(folder, command.Build(folder, uid, instance), instance, listener);
            if (started is not null)
            {
                return started;
            }

            if (attempt == AttemptsMax || !error.Contains("temporarily unavailable", StringComparison.Ordinal))
            {
                throw new SandboxException($"The sandbox did not start: {error} `tenon doctor` says what is missing.");
            }

            await Task.Delay(FirstPause * attempt, time);
        }
    }

    /// <summary>What bubblewrap or the hand said at the start, for a message.</summary>
    public static string Log(SandboxFolder folder)
    {
        try
        {
            using var reader = new StreamReader(folder.LogPath);
            var buffer = new char[LogCharsMax];
            var text = new string(buffer, 0, reader.ReadBlock(buffer)).Trim();
            return text.Length == 0 ? "it ended without a word." : text.TrimEnd('.') + ".";
        }
        catch (IOException)
        {
            // No log is no reason to hide the failure itself.
            return "it left no log.";
        }
    }

    private (StartedSandbox? Started, string Error) Once(
        SandboxFolder folder, List<string> line, string instance, Socket listener)
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        using var log = File.OpenHandle(folder.LogPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        using var filter = File.OpenHandle(Path.Combine(files.Shared, "filter"));
        var (infoRead, infoWrite) = LinuxCalls.Pipe();
        var (gateRead, gateWrite) = LinuxCalls.Pipe();
        using (infoRead)
        using (gateWrite)
        {
            int launcher;
            using (infoWrite)
            using (gateRead)
            {
                var high = ((SafeHandle[])[nothing, log, log, listener.SafeHandle, filter, infoWrite, gateRead])
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
                return (null, Log(folder));
            }

            Bound(process, instance);
            using var gate = new FileStream(gateWrite, FileAccess.Write, 0);
            gate.Write("1"u8);
            return (new StartedSandbox(process, launcher), "");
        }
    }

    // Before the gate opens: nothing of the sandbox may run outside its bounds.
    private void Bound(SandboxProcess process, string instance)
    {
        try
        {
            cgroup.Join(instance, process.Pid);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Killed first, because closing the gate would open it.
            process.Kill();
            process.Dispose();
            cgroup.Remove(instance);
            throw new SandboxException($"The sandbox could not be bounded: {exception.Message}", exception);
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

/// <summary>
/// Buries the launchers that this server started. A launcher ends right after its sandbox; nobody waits for it, so
/// the dead are looked for whenever a sandbox starts or ends.
/// </summary>
internal static class LauncherReaper
{
    private static readonly Lock Gate = new();
    private static readonly List<int> Launchers = [];

    public static void Add(int pid)
    {
        lock (Gate)
        {
            Launchers.Add(pid);
        }

        Sweep();
    }

    public static void Sweep()
    {
        lock (Gate)
        {
            Launchers.RemoveAll(LinuxCalls.Reap);
        }
    }
}
