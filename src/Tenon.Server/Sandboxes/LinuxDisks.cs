using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>The C library's calls about disks: mounts, loop devices, clones, freezes, locks and free space.</summary>
internal static unsafe partial class LinuxDisks
{
    private const int ErrorBusy = 16;
    private const int ErrorWouldBlock = 11;
    private const int ErrorInterrupted = 4;

    private const int ErrorNoSpace = 28;

    /// <summary>A mount that was taken away is let go within milliseconds; a store is made in less.</summary>
    private const int LockMs = 30_000;

    /// <summary>Others take loop devices too: a free one may be gone before it is set up.</summary>
    private const int AttachAttemptsMax = 100;

    private const int CloseOnExec = 0x80000;
    private const int ReadWrite = 2;

    private static readonly int Direct =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary>Opens a file for reading and writing past the host's cache where its file system allows that.</summary>
    public static (SafeFileHandle Handle, bool IsDirect) OpenImage(string path)
    {
        var descriptor = open(path, ReadWrite | CloseOnExec | Direct, 0);
        if (descriptor >= 0)
        {
            return (new SafeFileHandle(descriptor, true), true);
        }

        descriptor = open(path, ReadWrite | CloseOnExec, 0);
        return descriptor >= 0
            ? (new SafeFileHandle(descriptor, true), false)
            : throw LinuxCalls.Failure($"{path} cannot be opened");
    }

    /// <summary>
    /// Locks an open file against every other opener. The lock lasts as long as anybody, also a loop device, holds
    /// this opening. False when somebody else has it.
    /// </summary>
    public static bool TryLock(SafeFileHandle file, bool isShared = false)
    {
        const int Shared = 1;
        const int Exclusive = 2;
        const int WithoutWaiting = 4;
        if (flock(Number(file), (isShared ? Shared : Exclusive) | WithoutWaiting) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is ErrorWouldBlock or ErrorInterrupted
            ? false : throw LinuxCalls.Failure("a file cannot be locked");
    }

    /// <summary>
    /// A free loop device over the file, gone with the last mount of it. Null when somebody else took it first.
    /// </summary>
    public static (SafeFileHandle Device, string Path)? TryAttach(SafeFileHandle image, bool isDirect)
    {
        const nint GetFree = 0x4C82;
        const nint Configure = 0x4C0A;
        const int BlockBytes = 4096;
        const int FlagsAt = 8 + 52;
        const uint GoesWithItsMount = 4;
        const uint PastTheCache = 16;
        using var control = File.OpenHandle("/dev/loop-control", FileMode.Open, FileAccess.ReadWrite);
        var number = ioctl(Number(control), GetFree, 0);
        if (number < 0)
        {
            throw LinuxCalls.Failure("there is no free loop device");
        }

        var path = $"/dev/loop{number}";
        var device = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var config = stackalloc byte[304];
        new Span<byte>(config, 304).Clear();
        *(uint*)config = (uint)Number(image);
        *(uint*)(config + 4) = BlockBytes;
        *(uint*)(config + FlagsAt) = GoesWithItsMount | (isDirect ? PastTheCache : 0);
        if (ioctl(Number(device), Configure, (nint)config) == 0)
        {
            return (device, path);
        }

        var error = Marshal.GetLastPInvokeError();
        device.Dispose();
        return error == ErrorBusy ? null : throw LinuxCalls.Failure($"{path} cannot be set up");
    }

    /// <summary>Locks an open file, as soon as nobody else has it locked.</summary>
    /// <exception cref="IOException">Somebody had it for too long.</exception>
    public static void Lock(SafeFileHandle file, string path, bool isShared = false)
    {
        const int PauseMs = 5;
        for (var waited = 0; !TryLock(file, isShared); waited += PauseMs)
        {
            if (waited >= LockMs)
            {
                throw new IOException($"{path} is in use by another program.");
            }

            Thread.Sleep(PauseMs);
        }
    }

    /// <summary>Opens a file without the lock that the platform's own library puts on every file.</summary>
    public static SafeFileHandle OpenOrCreate(string path)
    {
        const int Create = 0x40;
        const uint OwnerOnly = 0x180; // 0600
        var descriptor = open(path, ReadWrite | CloseOnExec | Create, OwnerOnly);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, true) : throw LinuxCalls.Failure($"{path} cannot be opened");
    }

    /// <summary>Mounts an image by a loop device that goes with the mount.</summary>
    /// <exception cref="System.ComponentModel.Win32Exception">The kernel refuses.</exception>
    public static void MountImage(string image, string path, string type, string options)
    {
        var (file, isDirect) = OpenImage(image);
        using (file)
        {
            // The lock is the device's from here on. Another one may have it for as long as a mount that was just
            // taken away is still on its way out.
            Lock(file, image);
            for (var attempt = 1; ; attempt++)
            {
                if (TryAttach(file, isDirect) is { } attached)
                {
                    using (attached.Device)
                    {
                        Mount(attached.Path, path, type, options);
                        return;
                    }
                }

                if (attempt == AttachAttemptsMax)
                {
                    throw new System.ComponentModel.Win32Exception(ErrorBusy, "loop devices are taken too fast");
                }
            }
        }
    }

    /// <summary>The device that is mounted at exactly this path; null when none is.</summary>
    public static string? DeviceAt(string path) => Mounts().LastOrDefault(mount => mount.Path == path).Device;

    /// <summary>Where something is mounted below a folder.</summary>
    public static IEnumerable<string> MountsIn(string folder) => Mounts().Select(mount => mount.Path)
        .Where(path => path.StartsWith(folder + "/", StringComparison.Ordinal));

    private static IEnumerable<(string Path, string Device)> Mounts() => File.ReadLines("/proc/self/mountinfo")
        .Select(line => line.Split(' '))
        .Select(fields => (fields[4].Replace("\\040", " ", StringComparison.Ordinal),
            fields[Array.IndexOf(fields, "-") + 2]));

    /// <summary>Tells a loop device that its file has grown.</summary>
    public static void Resize(SafeFileHandle device)
    {
        const nint SetCapacity = 0x4C07;
        if (ioctl(Number(device), SetCapacity, 0) != 0)
        {
            throw LinuxCalls.Failure("a loop device cannot be made larger");
        }
    }

    /// <summary>Mounts a disk where no device file and no setuid bit has a meaning.</summary>
    public static void Mount(string device, string path, string type, string options)
    {
        const nuint NoSetuidNoDevicesNoTimes = 2 | 4 | 1024;
        if (mount(device, path, type, NoSetuidNoDevicesNoTimes, options) != 0)
        {
            throw LinuxCalls.Failure($"{device} cannot be mounted at {path}");
        }
    }

    /// <summary>Takes a mount away at once; the disk is let go when the last process has left it.</summary>
    public static void Unmount(string path)
    {
        const int Detach = 2;
        const int NoFollow = 8;
        if (umount2(path, Detach | NoFollow) != 0)
        {
            throw LinuxCalls.Failure($"{path} cannot be unmounted");
        }
    }

    /// <summary>Whether a file system is mounted at exactly this path.</summary>
    public static bool IsMount(string path)
    {
        const int HereNoFollow = -100;
        const int NoFollow = 0x100;
        const ulong MountRoot = 0x2000;
        var status = stackalloc byte[256];
        return statx(HereNoFollow, path, NoFollow, 0x7FF, status) == 0 && (*(ulong*)(status + 8) & MountRoot) != 0;
    }

    /// <summary>Makes a file share all bytes of another. False when the file system cannot.</summary>
    public static bool TryClone(SafeFileHandle from, SafeFileHandle to)
    {
        const nint Clone = 0x40049409;
        if (ioctl(Number(to), Clone, Number(from)) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() == ErrorNoSpace ? throw LinuxCalls.Failure("no room for a clone") : false;
    }

    /// <summary>The next place at or after <paramref name="from"/> with bytes, and where they end; null at the end.
    /// </summary>
    public static (long From, long To)? NextBytes(SafeFileHandle file, long from)
    {
        const int Data = 3;
        const int Hole = 4;
        var start = lseek(Number(file), from, Data);
        return start < 0 ? null : (start, lseek(Number(file), start, Hole));
    }

    /// <summary>Gives a file room on its disk up to this size.</summary>
    public static void Reserve(SafeFileHandle file, long bytes)
    {
        var error = posix_fallocate(Number(file), 0, bytes);
        if (error != 0)
        {
            Marshal.SetLastPInvokeError(error);
            throw LinuxCalls.Failure("no room on the disk");
        }
    }

    /// <summary>All that was written is on the disk, and nothing is written until <see cref="Thaw"/>.</summary>
    public static void Freeze(SafeFileHandle directory)
    {
        const nint FreezeSystem = unchecked((int)0xC0045877);
        if (ioctl(Number(directory), FreezeSystem, 0) != 0)
        {
            throw LinuxCalls.Failure("a disk cannot be held still");
        }
    }

    public static void Thaw(SafeFileHandle directory)
    {
        const nint ThawSystem = unchecked((int)0xC0045878);
        _ = ioctl(Number(directory), ThawSystem, 0);
    }

    /// <summary>Gives back the room of what was deleted. A disk that cannot keeps it.</summary>
    public static void Trim(SafeFileHandle directory)
    {
        const nint TrimSystem = unchecked((int)0xC0185879);
        var range = stackalloc ulong[3] { 0, ulong.MaxValue, 0 };
        _ = ioctl(Number(directory), TrimSystem, (nint)range);
    }

    /// <summary>Bytes that anybody may still write to the file system of this path.</summary>
    public static long FreeBytes(string path)
    {
        var status = stackalloc ulong[16];
        return statfs(path, status) == 0
            ? (long)(status[4] * status[1]) : throw LinuxCalls.Failure($"{path} cannot be measured");
    }

    private static int Number(SafeHandle handle) => (int)handle.DangerousGetHandle();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nint request, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(int descriptor, int operation);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string type, nuint flags, string data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statfs(string path, ulong* status);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int descriptor, long offset, int whence);

    [LibraryImport("libc")]
    private static partial int posix_fallocate(int descriptor, long offset, long length);
}
