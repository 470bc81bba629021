using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The C library's calls by which a folder is changed that somebody else changes at the same time. Each names one
/// entry of a directory that is open, and none follows a link there.
/// </summary>
internal static unsafe partial class LinuxTree
{
    private const int Here = -100;
    private const uint NoReplace = 1;
    private const uint BothWays = 2;
    private const int NoSuchEntry = 2;
    private const int AlreadyThere = 17;

    /// <summary>What an entry is, without opening it; null when there is none, or it cannot be told.</summary>
    public static FileStatus? Status(SafeFileHandle directory, string name)
    {
        const int NotFollowed = 0x100;
        const uint BasicFields = 0x7FF;
        var status = stackalloc byte[256];
        return statx(Here, Below(directory, name), NotFollowed, BasicFields, status) == 0
            ? LinuxCalls.ReadStatus(status) : null;
    }

    /// <summary>Opens a directory; null when the entry is none.</summary>
    public static SafeFileHandle? OpenDirectory(SafeFileHandle directory, string name)
    {
        var handle = LinuxCalls.OpenBeneath(Below(directory, name));
        if (handle is null || LinuxCalls.Status(handle) is { IsDirectory: true })
        {
            return handle;
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Makes a directory for a user, unless there is an entry of that name.</summary>
    public static void MakeDirectory(SafeFileHandle directory, string name, int? uid)
    {
        const uint Mode = 0x1ED; // 0755
        if (mkdir(Below(directory, name), Mode) == 0 && uid is { } owner)
        {
            LinuxCalls.Own(Below(directory, name), owner);
        }
    }

    public static bool RemoveFile(SafeFileHandle directory, string name) => unlink(Below(directory, name)) == 0;

    /// <summary>Removes a directory that is empty.</summary>
    public static bool RemoveDirectory(SafeFileHandle directory, string name) => rmdir(Below(directory, name)) == 0;

    /// <summary>Gives an entry another place where nothing is. False when something is, or the entry is gone.</summary>
    public static bool Move(SafeFileHandle from, string name, SafeFileHandle to, string newName)
    {
        if (renameat2(Here, Below(from, name), Here, Below(to, newName), NoReplace) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is NoSuchEntry or AlreadyThere
            ? false : throw LinuxCalls.Failure($"{newName} cannot be placed");
    }

    /// <summary>Lets two entries take each other's places. False when one of them is gone.</summary>
    public static bool Exchange(SafeFileHandle from, string name, SafeFileHandle to, string otherName)
    {
        if (renameat2(Here, Below(from, name), Here, Below(to, otherName), BothWays) == 0)
        {
            return true;
        }

        return Marshal.GetLastPInvokeError() is NoSuchEntry
            ? false : throw LinuxCalls.Failure($"{otherName} cannot be replaced");
    }

    /// <summary>A path that leads to an entry of the open directory itself, wherever that one is by now.</summary>
    public static string Below(SafeFileHandle directory, string name) =>
        $"/proc/self/fd/{(int)directory.DangerousGetHandle()}/{name}";

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int directory, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkdir(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rmdir(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int from, string path, int to, string newPath, uint flags);
}
