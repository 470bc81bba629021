using System.Globalization;

namespace Tenon.Hand.Processes;

/// <summary>
/// Knows which processes a command started: all that were not there before it. A process group is no answer to
/// that, since a child may leave it by <c>setsid</c>; the sandbox's own process namespace is.
/// </summary>
internal sealed class ProcessTable(Children children)
{
    private const int Init = 1;

    /// <summary>
    /// Bounds the fight against a command that forks while it is killed; each round kills all it sees.
    /// </summary>
    private const int KillRoundsMax = 500;

    private static bool DescendsFrom(int pid, IReadOnlySet<int> shells)
    {
        for (var at = pid; shells.Count > 0 && at > Init; at = ParentOf(at))
        {
            if (shells.Contains(at))
            {
                return true;
            }
        }

        return false;
    }

    private static int ParentOf(int pid)
    {
        try
        {
            // The name in brackets may hold anything, so the fields are counted from its end (proc(5)).
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It is gone meanwhile.
            return 0;
        }
    }

    public static HashSet<int> Snapshot()
    {
        var pids = new HashSet<int>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            var name = entry.AsSpan("/proc/".Length);
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                pids.Add(pid);
            }
        }

        return pids;
    }

    /// <summary>Kills the child with every process that is still in its session.</summary>
    public void KillSession(Child child)
    {
        for (var round = 0; round < KillRoundsMax; round++)
        {
            // The child last: while it is there, no other session can have its number.
            var found = false;
            foreach (var pid in Snapshot())
            {
                if (pid != child.Pid && Kernel.SessionOf(pid) == child.Pid)
                {
                    found |= Kernel.Kill(pid, Kernel.SignalKill) == 0;
                }
            }

            if (!found)
            {
                break;
            }

            // The killed are still listed until they are buried; give the kernel that moment.
            Thread.Sleep(1);
        }

        children.Kill(child);
    }

    /// <summary>
    /// Kills every process that is neither spared, nor the hand, nor a running file tool's, nor of another shell that
    /// works meanwhile.
    /// </summary>
    /// <param name="others">The other shells. What they started is theirs as long as its parents live.</param>
    public void KillAllBut(IReadOnlySet<int> spared, IReadOnlySet<int> others)
    {
        for (var round = 0; round < KillRoundsMax; round++)
        {
            var found = false;
            foreach (var pid in Snapshot())
            {
                if (pid != Init && pid != Environment.ProcessId && !spared.Contains(pid) && !children.IsTool(pid)
                    && !DescendsFrom(pid, others))
                {
                    found |= Kernel.Kill(pid, Kernel.SignalKill) == 0;
                }
            }

            if (!found)
            {
                return;
            }

            // The killed are still listed until they are buried; give the kernel that moment.
            Thread.Sleep(1);
        }
    }
}
