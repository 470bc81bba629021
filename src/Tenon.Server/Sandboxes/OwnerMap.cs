using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Shows a mounted disk as if another uid owned its files, in both directions and for no time. So a fork of a session
/// has a uid of its own without a walk over the files that it got.
/// </summary>
internal static unsafe partial class OwnerMap
{
    private const nint OpenTree = 428;
    private const nint MoveMount = 429;
    private const nint SetMountAttributes = 442;
    private const int Here = -100;
    private const int EmptyPath = 0x1000;
    private const int ReadyMs = 5_000;

    /// <param name="path">Where the disk is mounted.</param>
    /// <param name="from">Who owns its files on the disk.</param>
    /// <param name="to">Who shall own them.</param>
    /// <exception cref="Win32Exception">The kernel refuses.</exception>
    public static void Apply(string path, int from, int to)
    {
        using var names = MakeNamespace(from, to);
        using var tree = CloneTree(path);
        SetMap(tree, names);
        LinuxDisks.Unmount(path);
        const nint FromEmptyPath = 4;
        byte nothing = 0;
        var target = Marshal.StringToCoTaskMemUTF8(path);
        var moved = syscall(MoveMount, Number(tree), (nint)(&nothing), Here, target, FromEmptyPath);
        Marshal.FreeCoTaskMem(target);
        if (moved != 0)
        {
            throw LinuxCalls.Failure($"{path} could not be mounted for another user");
        }
    }

    private static SafeFileHandle CloneTree(string path)
    {
        const int CloneCloseOnExec = 0x80001;
        var source = Marshal.StringToCoTaskMemUTF8(path);
        var tree = syscall(OpenTree, Here, source, CloneCloseOnExec, 0, 0);
        Marshal.FreeCoTaskMem(source);
        return tree >= 0 ? new SafeFileHandle(tree, true) : throw LinuxCalls.Failure($"{path} could not be cloned");
    }

    private static void SetMap(SafeFileHandle tree, SafeFileHandle names)
    {
        const ulong IdMapped = 0x100000;
        var attributes = stackalloc ulong[4] { IdMapped, 0, 0, (ulong)Number(names) };
        byte nothing = 0;
        if (syscall(SetMountAttributes, Number(tree), (nint)(&nothing), EmptyPath, (nint)attributes,
            4 * sizeof(ulong)) != 0)
        {
            throw LinuxCalls.Failure("the kernel shows no disk for another user");
        }
    }

    /// <summary>A user namespace in which the two uids are one; a process that waits makes it, and is gone.</summary>
    private static SafeFileHandle MakeNamespace(int from, int to)
    {
        var (read, write) = LinuxCalls.Pipe();
        using (read)
        using (write)
        {
            using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            var high = ((SafeHandle[])[read, nothing, nothing]).Select(LinuxCalls.DuplicateHigh).ToList();
            var pid = ChildProcess.Start(
                [SystemProgram.Find("unshare") ?? "unshare", "--user", SystemProgram.Find("cat") ?? "cat"], high);
            high.ForEach(handle => handle.Dispose());
            if (pid < 0)
            {
                throw new Win32Exception(-pid, "unshare cannot be started");
            }

            try
            {
                return Map(pid, string.Create(CultureInfo.InvariantCulture, $"0 0 1\n{from} {to} 1\n"));
            }
            finally
            {
                using var process = SandboxProcess.Find(pid, null);
                process?.Kill();
                LauncherReaper.Add(pid);
            }
        }
    }

    private static SafeFileHandle Map(int pid, string map)
    {
        var ours = NamespaceOf("self");
        var deadline = Environment.TickCount64 + ReadyMs;
        var name = pid.ToString(CultureInfo.InvariantCulture);
        while (NamespaceOf(name) is var theirs && (theirs is null || theirs == ours))
        {
            if (Environment.TickCount64 > deadline || SandboxProcess.Find(pid, null) is not { } process)
            {
                throw new Win32Exception("the kernel makes no user namespace");
            }

            process.Dispose();
            Thread.Yield();
        }

        File.WriteAllText($"/proc/{pid}/uid_map", map);
        File.WriteAllText($"/proc/{pid}/gid_map", map);
        return File.OpenHandle($"/proc/{pid}/ns/user");
    }

    private static string? NamespaceOf(string process)
    {
        try
        {
            return new FileInfo($"/proc/{process}/ns/user").LinkTarget;
        }
        catch (IOException)
        {
            // It has ended.
            return null;
        }
    }

    private static int Number(SafeHandle handle) => (int)handle.DangerousGetHandle();

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e);
}
