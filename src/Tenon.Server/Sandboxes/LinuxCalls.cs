using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>The C library's calls that the platform's own library does not offer.</summary>
internal static unsafe partial class LinuxCalls
{
    public const int SignalKill = 9;

    private const int CloseOnExec = 0x80000;
    private const int DuplicateCloseOnExec = 1030;
    private const nint PidDescriptorSignal = 424;
    private const nint PidDescriptorOpen = 434;
    private const int NoSuchProcess = 3;

    // A number that a thread of another process has by now; kernels answer it in either way.
    private const int NoSuchEntry = 2;
    private const int NotAProcess = 22;

    private const int Interrupted = 4;
    private const short PollIn = 1;

    private const int NonBlocking = 0x800;

    private static readonly int NoFollow =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    // Sources of descriptors for a child are moved up here, so that none of them is also another one's target.
    private const int SafeDescriptor = 64;

    public static uint EffectiveUid => geteuid();

    public static SafeFileHandle DuplicateHigh(SafeHandle handle)
    {
        var copy = fcntl((int)handle.DangerousGetHandle(), DuplicateCloseOnExec, SafeDescriptor);
        return copy >= 0 ? new SafeFileHandle(copy, true) : throw Failure("a descriptor could not be copied");
    }

    /// <summary>A copy that a child would inherit, unless who starts it takes care.</summary>
    public static SafeFileHandle DuplicateInheritable(SafeHandle handle)
    {
        const int Duplicate = 0;
        var copy = fcntl((int)handle.DangerousGetHandle(), Duplicate, SafeDescriptor);
        return copy >= 0 ? new SafeFileHandle(copy, true) : throw Failure("a descriptor could not be copied");
    }

    public static (SafeFileHandle Read, SafeFileHandle Write) Pipe()
    {
        var ends = stackalloc int[2];
        return pipe2(ends, CloseOnExec) == 0
            ? (new SafeFileHandle(ends[0], true), new SafeFileHandle(ends[1], true))
            : throw Failure("no pipe");
    }

    /// <summary>A handle on a process that stays with it, or null when there is none of that number.</summary>
    public static SafeFileHandle? OpenProcess(int pid)
    {
        var descriptor = syscall(PidDescriptorOpen, pid, 0, 0, 0);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, true)
            : Marshal.GetLastPInvokeError() is NoSuchProcess or NoSuchEntry or NotAProcess ? null
            : throw Failure($"process {pid} could not be opened");
    }

    public static void Signal(SafeFileHandle process, int signal) =>
        _ = syscall(PidDescriptorSignal, process.DangerousGetHandle(), signal, 0, 0);

    /// <summary>Waits until the process is dead; false when the time ran out.</summary>
    public static bool WaitForDeath(SafeFileHandle process, int milliseconds)
    {
        var entry = new PollEntry { Descriptor = (int)process.DangerousGetHandle(), Events = PollIn };
        var deadline = Environment.TickCount64 + milliseconds;
        int ready;
        do
        {
            ready = poll(&entry, 1, (int)Math.Max(0, deadline - Environment.TickCount64));
        }
        while (ready < 0 && Marshal.GetLastPInvokeError() == Interrupted);

        return ready == 1;
    }

    /// <summary>
    /// Sees to it that this process, and all that it starts from now on, leave no image of their memory when they
    /// crash. Without effect where the server was started with a hard limit of zero.
    /// </summary>
    /// <remarks>
    /// One byte, which is too small for any file, and which the kernel takes for "no core handler either". With zero
    /// it would still hand a crash to a handler that the host has set, and that runs as the host's root.
    /// </remarks>
    public static void ForbidCoreDumps()
    {
        const int CoreLimit = 4;
        var limit = stackalloc ulong[2];
        if (prlimit(0, CoreLimit, null, limit) == 0 && limit[1] > 0)
        {
            limit[0] = 1;
            _ = prlimit(0, CoreLimit, limit, null);
        }
    }

    /// <summary>Waits for a child's end and buries it; kills it when the time runs out.</summary>
    /// <returns>Its exit code, or -1 when a signal ended it.</returns>
    public static int WaitForExit(int pid, int milliseconds)
    {
        using (var process = OpenProcess(pid))
        {
            if (process is not null && !WaitForDeath(process, milliseconds))
            {
                Signal(process, SignalKill);
            }
        }

        int status;
        while (waitpid(pid, &status, 0) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                throw Failure($"process {pid} could not be waited for");
            }
        }

        return (status & 0x7F) == 0 ? (status >> 8) & 0xFF : -1;
    }

    /// <summary>Reaps a child if it is dead. True when there is nothing left to reap.</summary>
    public static bool Reap(int pid)
    {
        const int WithoutWaiting = 1;
        return waitpid(pid, null, WithoutWaiting) != 0;
    }

    public static void Own(string path, int uid) => Own(path, uid, uid);

    public static void Own(string path, int uid, int gid)
    {
        if (lchown(path, (uint)uid, (uint)gid) != 0)
        {
            throw Failure($"{path} could not be given to uid {uid}");
        }
    }

    /// <summary>Waits until all that was written is on the disks.</summary>
    public static void Sync() => sync();

    public static void Mode(string path, uint mode)
    {
        if (chmod(path, mode) != 0)
        {
            throw Failure($"the mode of {path} could not be set");
        }
    }

    public static void Group(string path, int gid)
    {
        if (lchown(path, uint.MaxValue, (uint)gid) != 0)
        {
            throw Failure($"{path} could not be given to group {gid}");
        }
    }

    /// <summary>Another name for a file. False when the kernel refuses, as it does between file systems.</summary>
    public static bool Link(string source, string path) => link(source, path) == 0;

    /// <summary>
    /// Opens a file or a directory for reading, whatever it may be: a link at the end is not followed, and nothing is
    /// waited for. Null when it cannot be opened.
    /// </summary>
    public static SafeFileHandle? OpenBeneath(string path)
    {
        var descriptor = open(path, CloseOnExec | NonBlocking | NoFollow, 0);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, true) : null;
    }

    /// <summary>What an open file is; null when the kernel does not say.</summary>
    public static FileStatus? Status(SafeFileHandle file)
    {
        const int OfTheDescriptor = 0x1000;
        const uint BasicFields = 0x7FF;
        var status = stackalloc byte[256];
        return statx((int)file.DangerousGetHandle(), "", OfTheDescriptor, BasicFields, status) == 0
            ? ReadStatus(status) : null;
    }

    /// <param name="status">As the kernel writes it.</param>
    public static FileStatus ReadStatus(byte* status) => new(
        *(ushort*)(status + 28), *(ulong*)(status + 32), *(long*)(status + 40),
        *(long*)(status + 112), *(uint*)(status + 120))
    {
        Links = *(uint*)(status + 16),
        Owner = *(uint*)(status + 20),
        Group = *(uint*)(status + 24),
        ChangedSeconds = *(long*)(status + 96),
        ChangedNanoseconds = *(uint*)(status + 104),
    };

    /// <summary>Whether any process runs as this uid.</summary>
    public static bool RunsProcesses(int uid)
    {
        // Of a user's processes the kernel tells the best priority, or that there are none.
        const int OfUser = 2;
        return getpriority(OfUser, (uint)uid) != -1 || Marshal.GetLastPInvokeError() != NoSuchProcess;
    }

    public static Win32Exception Failure(string what)
    {
        var error = Marshal.GetLastPInvokeError();
        return new Win32Exception(error, $"{what}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial void sync();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getpriority(int which, uint who);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pipe2(int* ends, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(PollEntry* entries, nuint count, int milliseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prlimit(int pid, int resource, ulong* value, ulong* old);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int waitpid(int pid, int* status, int options);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint user, uint group);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string source, string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chmod(string path, uint mode);
}
