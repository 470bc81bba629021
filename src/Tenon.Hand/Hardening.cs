using Tenon.Hand.Processes;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>What the hand does to itself before it listens.</summary>
internal static unsafe class Hardening
{
    private const int SetDumpable = 4;
    private const int LimitProcesses = 6;
    private const int LimitDescriptors = 7;
    private const int SetDescriptorFlags = 2;
    private const int CloseOnExecFlag = 1;
    private const int Ignore = 1;

    /// <summary>
    /// Room for any build tool, and small enough that a leak shows as an error and not as a slow host.
    /// </summary>
    private const uint DescriptorsMax = 1024;

    // HUP, INT, QUIT, PIPE, TERM: an init has no reason to die by one, and a broken pipe is an error code.
    private static readonly int[] Ignored = [1, 2, 3, 13, 15];

    public static void Apply(int listenDescriptor, uint processesMax)
    {
        foreach (var signal in Ignored)
        {
            _ = Kernel.Signal(signal, Ignore);
        }

        // NOTE: not dumpable, so that commands of the same user can neither trace the hand nor open its descriptors.
        _ = Kernel.ProcessControl(SetDumpable, 0, 0, 0, 0);
        _ = Kernel.FileControl(listenDescriptor, SetDescriptorFlags, CloseOnExecFlag);
        Limit(LimitDescriptors, DescriptorsMax);
        if (processesMax > 0)
        {
            // What it starts gets the smaller limit from the shell, so that a fork bomb leaves the hand its room.
            Limit(LimitProcesses, processesMax + HandProtocol.ProcessesReserved);
            BashShell.ProcessesMax = processesMax;
        }
    }

    private static void Limit(int resource, uint value)
    {
        var limit = new Kernel.ResourceLimit { Soft = value, Hard = value };
        _ = Kernel.SetLimit(resource, &limit);
    }
}
