using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The init of a sandbox, held by a descriptor: its pid alone may by now be another process. Killing it ends every
/// process of the sandbox, because the kernel ends a process namespace with its init.
/// </summary>
internal sealed class SandboxProcess : IDisposable
{
    /// <summary>How long the kernel may take to end a namespace; longer means a process stuck in the kernel.</summary>
    private const int DeathMs = 10_000;

    private readonly SafeFileHandle _handle;

    private SandboxProcess(int pid, long startedTicks, SafeFileHandle handle) =>
        (Pid, StartedTicks, _handle) = (pid, startedTicks, handle);

    public int Pid { get; }

    /// <summary>When it started, in clock ticks since the machine's start: with the pid, its name for good.</summary>
    public long StartedTicks { get; }

    public bool IsAlive => !LinuxCalls.WaitForDeath(_handle, 0);

    public bool EndsWithin(int milliseconds) => LinuxCalls.WaitForDeath(_handle, milliseconds);

    /// <summary>The living process of that pid and, when given, that start; null when there is none.</summary>
    public static SandboxProcess? Find(int pid, long? startedTicks)
    {
        if (pid <= 0 || LinuxCalls.OpenProcess(pid) is not { } handle)
        {
            return null;
        }

        if (StartOf(pid) is { } started && (startedTicks is null || startedTicks == started))
        {
            return new SandboxProcess(pid, started, handle);
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Kills every process whose command line names this life of a sandbox: launcher, child and hand.
    /// </summary>
    public static void KillAll(string instance)
    {
        foreach (var pid in All().Where(pid => Names(pid, instance)))
        {
            using var process = Find(pid, null);
            process?.Kill();
        }
    }

    /// <summary>The pids of this moment; each may be gone when it is looked at.</summary>
    public static IEnumerable<int> All()
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(
                Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                yield return pid;
            }
        }
    }

    public void Kill()
    {
        LinuxCalls.Signal(_handle, LinuxCalls.SignalKill);
        if (!LinuxCalls.WaitForDeath(_handle, DeathMs))
        {
            throw new SandboxException($"The sandbox's process {Pid} did not end within {DeathMs} ms of its killing.");
        }
    }

    public void Dispose() => _handle.Dispose();

    private static bool Names(int pid, string instance)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Split('\0').Contains(instance);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile, or belongs to a user whose processes are none of ours.
            return false;
        }
    }

    private static long? StartOf(int pid)
    {
        try
        {
            // The name, second, may hold anything; the fields after its closing bracket are numbers.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return null;
        }
    }
}
