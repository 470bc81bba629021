using Microsoft.Win32.SafeHandles;
using System.Globalization;
using Tenon.Server.Memory;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The files of one memory store in a session, which a sandbox reads and writes while they are looked at and changed.
/// It is not trusted: every step names one entry of a directory that is open, follows no link, waits at no pipe, and
/// reads no more than a memory may have. What it writes at the same moment is never lost, but found.
/// </summary>
/// <remarks>Paths are those of memories: they begin with a slash.</remarks>
/// <param name="staging">A directory on the same disk that the sandbox has not.</param>
/// <param name="part">The name that new files have there.</param>
internal sealed class MemoryTree(SafeFileHandle root, SafeFileHandle staging, string part, int? uid) : IDisposable
{
    /// <summary>Files that are looked at: twice as many as a store may have, to tell of those that it cannot.</summary>
    private const int FilesMax = 2 * MemoryLimits.MemoriesMax;

    /// <summary>Names that are looked at, folders and what is no file included: it bounds the time of a look.</summary>
    private const int NamesMax = 10 * MemoryLimits.MemoriesMax;

    private const uint Readable = 0x1A4; // 0644

    /// <summary>Stands in a name for bytes that are no text.</summary>
    private const char Unreadable = '\uFFFD';

    private static readonly EnumerationOptions Names = new()
    {
        AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false,
    };

    /// <summary>All that is there, without opening any file.</summary>
    public MemoryLook Look()
    {
        var look = new MemoryLook();
        Walk(root, "", 1, look);
        return look;
    }

    /// <summary>A file's bytes, at most one more than a memory may have; null when it changes, or is no file.</summary>
    public (byte[] Content, string Stamp)? Read(string path)
    {
        using var parent = Parent(path, isMade: false);
        using var file = parent is null ? null : LinuxCalls.OpenBeneath(LinuxTree.Below(parent, NameOf(path)));
        if (file is null || LinuxCalls.Status(file) is not { IsRegular: true } status)
        {
            return null;
        }

        var buffer = new byte[Math.Min(status.Size, MemoryLimits.ContentBytesMax) + 1];
        var count = 0;
        while (count < buffer.Length
            && RandomAccess.Read(file, buffer.AsSpan(count), count) is > 0 and var more)
        {
            count += more;
        }

        var stamp = MemoryStamp.Of(status);
        return LinuxCalls.Status(file) is { } now && MemoryStamp.Of(now) == stamp
            ? (buffer[..count], MemoryStamp.IsSettled(status) ? stamp : MemoryStamp.Unsettled) : null;
    }

    /// <summary>Puts a file at a path, in place of the one that is known to be there, or where none is.</summary>
    /// <param name="known">The stamp of the file that may be replaced; null when there is none.</param>
    public PutOutcome Put(string path, byte[] content, string? known)
    {
        using var parent = Parent(path, isMade: true);
        if (parent is null)
        {
            return new PutOutcome.Blocked();
        }

        var name = NameOf(path);
        if (LinuxTree.Status(parent, name) is { IsRegular: false } other
            && (!other.IsDirectory || !LinuxTree.RemoveDirectory(parent, name)))
        {
            return new PutOutcome.Blocked();
        }

        if (known is not null
            && (LinuxTree.Status(parent, name) is not { } there || !MemoryStamp.IsSameFile(known, there)))
        {
            return new PutOutcome.Changed();
        }

        var made = Stage(content);
        if (known is null)
        {
            return LinuxTree.Move(staging, part, parent, name)
                ? Placed(parent, name, made) : new PutOutcome.Changed();
        }

        if (!LinuxTree.Exchange(staging, part, parent, name))
        {
            return new PutOutcome.Changed();
        }

        if (LinuxTree.Status(staging, part) is { IsRegular: true } displaced
            && MemoryStamp.IsSameFile(known, displaced))
        {
            LinuxTree.RemoveFile(staging, part);
            return Placed(parent, name, made);
        }

        // The sandbox was faster: what it wrote goes back.
        LinuxTree.Exchange(staging, part, parent, name);
        return new PutOutcome.Changed();
    }

    /// <summary>
    /// Removes the file that is known to be at a path, and folders that it leaves empty. False when it is another one.
    /// </summary>
    public bool Remove(string path, string known)
    {
        using (var parent = Parent(path, isMade: false))
        {
            LinuxTree.RemoveFile(staging, part);
            if (parent is null || !LinuxTree.Move(parent, NameOf(path), staging, part))
            {
                return true;
            }

            if (LinuxTree.Status(staging, part) is not { IsRegular: true } taken
                || !MemoryStamp.IsSameFile(known, taken))
            {
                LinuxTree.Move(staging, part, parent, NameOf(path));
                return false;
            }

            LinuxTree.RemoveFile(staging, part);
        }

        for (var folder = FolderOf(path); folder.Length > 0; folder = FolderOf(folder))
        {
            using var above = Parent(folder, isMade: false);
            if (above is null || !LinuxTree.RemoveDirectory(above, NameOf(folder)))
            {
                break;
            }
        }

        return true;
    }

    public void Dispose() => root.Dispose();

    private static void Walk(SafeFileHandle directory, string prefix, int depth, MemoryLook look)
    {
        foreach (var name in NamesIn(directory, look))
        {
            if (++look.Names > NamesMax || look.Files.Count == FilesMax)
            {
                look.IsWhole = false;
                return;
            }

            var path = $"{prefix}/{name}";
            switch (LinuxTree.Status(directory, name))
            {
                case null when name.Contains(Unreadable, StringComparison.Ordinal):
                    look.Strange[path] = "its name is not UTF-8";
                    break;
                case null:
                    break;
                case { IsDirectory: true } when depth == MemoryLimits.SegmentsMax:
                    look.Strange[path] = $"a memory's path has at most {MemoryLimits.SegmentsMax} parts";
                    break;
                case { IsDirectory: true }:
                    WalkInto(directory, name, path, depth, look);
                    break;
                case { IsRegular: true } file:
                    look.Files[path] = file;
                    break;
                default:
                    look.Strange[path] = "it is not a regular file";
                    break;
            }
        }
    }

    private static void WalkInto(
        SafeFileHandle directory, string name, string path, int depth, MemoryLook look)
    {
        using var inner = LinuxTree.OpenDirectory(directory, name);
        if (inner is null)
        {
            // Shut by its owner, or gone: nobody can tell what is in it.
            look.IsWhole = false;
            look.Strange[path] = "it cannot be opened";
            return;
        }

        Walk(inner, path, depth + 1, look);
    }

    // A list, because the folder may change, or go, at any step of an open enumeration.
    private static IReadOnlyList<string> NamesIn(SafeFileHandle directory, MemoryLook look)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(LinuxTree.Below(directory, ""), "*", Names)
                .Take(NamesMax + 1).Select(path => Path.GetFileName(path))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What could not be listed must not count as removed.
            look.IsWhole = false;
            return [];
        }
    }

    /// <summary>The directory that a path lies in; null when it is not there, or something else is.</summary>
    private SafeFileHandle? Parent(string path, bool isMade)
    {
        var at = LinuxCalls.OpenBeneath(LinuxTree.Below(root, "."));
        foreach (var name in FolderOf(path).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (at is null)
            {
                return null;
            }

            using var above = at;
            if (isMade)
            {
                LinuxTree.MakeDirectory(above, name, uid);
            }

            at = LinuxTree.OpenDirectory(above, name);
        }

        return at;
    }

    private FileStatus Stage(byte[] content)
    {
        LinuxTree.RemoveFile(staging, part);
        var path = LinuxTree.Below(staging, part);
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.Write(file, content, 0);
        LinuxCalls.Mode(path, Readable);
        if (uid is { } owner)
        {
            LinuxCalls.Own(path, owner);
        }

        return LinuxCalls.Status(file) ?? throw LinuxCalls.Failure($"{path} cannot be looked at");
    }

    // From the moment that it has its place the sandbox may write to it.
    private static PutOutcome.Placed Placed(SafeFileHandle parent, string name, FileStatus made) => new(
        LinuxTree.Status(parent, name) is { } now && MemoryStamp.IsSameFile(MemoryStamp.Of(made), now)
            ? MemoryStamp.Of(now) : MemoryStamp.Unsettled);

    private static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..];

    private static string FolderOf(string path) => path[..path.LastIndexOf('/')];
}

/// <summary>What was found in a store's directory.</summary>
internal sealed class MemoryLook
{
    /// <summary>The regular files, by their paths.</summary>
    public Dictionary<string, FileStatus> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>What can be no memory, and why not.</summary>
    public Dictionary<string, string> Strange { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether all was seen. If not, what is missing here may be there.</summary>
    public bool IsWhole { get; set; } = true;

    public int Names { get; set; }
}

/// <summary>What came of putting a file at a path.</summary>
internal abstract record PutOutcome
{
    /// <summary>It is there, with this stamp.</summary>
    public sealed record Placed(string Stamp) : PutOutcome;

    /// <summary>It is not: the sandbox has changed what is there.</summary>
    public sealed record Changed : PutOutcome;

    /// <summary>It is not: something is in the way that is no file, or a file is where a folder should be.</summary>
    public sealed record Blocked : PutOutcome;
}

/// <summary>A text that is another one when a file was written to or replaced.</summary>
internal static class MemoryStamp
{
    /// <summary>Of a file that was changed so lately that the kernel's clock might not tell its next change.</summary>
    public const string Unsettled = "";

    /// <summary>The kernel's clock of files steps by ten milliseconds at most; a busy host looks at it late.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(25);

    public static string Of(FileStatus status) => string.Create(CultureInfo.InvariantCulture,
        $"{status.Stamp}:{status.ChangedSeconds}.{status.ChangedNanoseconds}");

    /// <summary>The file's number on its disk, which a new name does not change.</summary>
    public static string InodeOf(string stamp) => stamp.Split(':') is [_, _, var inode, ..] ? inode : "";

    /// <summary>Whether a file is what its stamp says, though it may have another name since.</summary>
    public static bool IsSameFile(string stamp, FileStatus now) =>
        stamp.StartsWith(now.Stamp + ":", StringComparison.Ordinal);

    public static bool IsSettled(FileStatus status)
    {
        // The times of files are the kernel's.
        var now = TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch;
        return now - (TimeSpan.FromSeconds(status.ChangedSeconds)
            + TimeSpan.FromMicroseconds(status.ChangedNanoseconds / 1_000.0)) > Settling;
    }
}
