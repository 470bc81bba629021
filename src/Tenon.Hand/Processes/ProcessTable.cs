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

    public static HashSet<int> Snapshot()
    {
        var pids = new HashSet<int>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(
                entry.AsSpan("/proc/".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                pids.Add(pid);
            }
        }

        return pids;
    }

    /// <summary>Kills every process that is neither spared, nor the hand, nor a running file tool's.</summary>
    public void KillAllBut(IReadOnlySet<int> spared)
    {
        for (var round = 0; round < KillRoundsMax; round++)
        {
            var found = false;
            foreach (var pid in Snapshot())
            {
                if (pid != Init && pid != Environment.ProcessId && !spared.Contains(pid) && !children.IsTool(pid))
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
