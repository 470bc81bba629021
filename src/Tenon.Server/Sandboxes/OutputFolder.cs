using Microsoft.Win32.SafeHandles;
using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Walks a folder that a sandbox writes to while it is read. Whoever writes there is not trusted: every step opens one
/// name in a directory that is already open, never follows a link, and takes nothing but regular files, so that the
/// server reads no other file of the host and waits at no pipe.
/// </summary>
public static class OutputFolder
{
    /// <summary>Files of one session that are shown. A build's leftovers should not stand in the folder.</summary>
    public const int FilesMax = 1_000;

    /// <summary>Names that are looked at: it bounds the time of a walk.</summary>
    private const int NamesMax = 10_000;

    /// <summary>What lies deeper is not shown.</summary>
    private const int DepthMax = 16;

    private static readonly EnumerationOptions Names = new()
    {
        AttributesToSkip = 0, IgnoreInaccessible = true, ReturnSpecialDirectories = false,
    };

    /// <summary>The regular files below the folder. Each is open until the walk goes on.</summary>
    /// <param name="visit">Gets every file; it may read and must not keep the handle.</param>
    /// <returns>Whether all of the folder was seen, and not only what the bounds allow.</returns>
    public static async Task<bool> Walk(string path, Func<OutputFile, Task> visit)
    {
        using var root = LinuxCalls.OpenBeneath(path);
        if (root is null)
        {
            return false;
        }

        var budget = new Budget();
        await Walk(root, "", 0, budget, visit);
        return !budget.IsSpent;
    }

    /// <summary>
    /// Adds up what a folder has, until there are more files than <paramref name="filesMax"/>. Links are not followed.
    /// </summary>
    public static void Measure(string path, int filesMax, ref long bytes, ref int files)
    {
        foreach (var entry in new DirectoryInfo(path).EnumerateFileSystemInfos("*", new EnumerationOptions
        {
            AttributesToSkip = FileAttributes.None, IgnoreInaccessible = true, RecurseSubdirectories = true,
        }))
        {
            bytes += entry is FileInfo { LinkTarget: null } file ? file.Length : 0;
            if (++files > filesMax)
            {
                return;
            }
        }
    }

    private static async Task Walk(
        SafeFileHandle directory, string prefix, int depth, Budget budget, Func<OutputFile, Task> visit)
    {
        var here = $"/proc/self/fd/{(int)directory.DangerousGetHandle()}/";
        foreach (var name in NamesIn(here))
        {
            if (budget.IsSpent || ++budget.Names > NamesMax)
            {
                budget.IsSpent = true;
                return;
            }

            using var entry = LinuxCalls.OpenBeneath(here + name);
            if (entry is null || LinuxCalls.Status(entry) is not { } status)
            {
                continue;
            }

            if (status.IsDirectory && depth < DepthMax)
            {
                await Walk(entry, $"{prefix}{name}/", depth + 1, budget, visit);
            }
            else if (status.IsRegular && ++budget.Files > FilesMax)
            {
                budget.IsSpent = true;
            }
            else if (status.IsRegular)
            {
                await visit(new OutputFile(prefix + name, status.Size, status.Stamp, entry));
            }
        }
    }

    // A list, because the folder may change, or go, at any step of an open enumeration.
    private static IReadOnlyList<string> NamesIn(string directory)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(directory, "*", Names)
                .Take(NamesMax + 1).Select(path => Path.GetFileName(path))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It went meanwhile, or its owner shut it: then there is nothing to show.
            return [];
        }
    }

    private sealed class Budget
    {
        public int Names { get; set; }

        public int Files { get; set; }

        public bool IsSpent { get; set; }
    }
}

/// <summary>A regular file in a sandbox's folder, open for reading.</summary>
/// <param name="Path">Below the folder.</param>
/// <param name="Stamp">Another one after the file was written to or replaced.</param>
public sealed record OutputFile(string Path, long Size, string Stamp, SafeFileHandle Handle)
{
    /// <summary>The stamp as it is now.</summary>
    public string? StampNow => LinuxCalls.Status(Handle)?.Stamp;
}

/// <summary>What the kernel says of an open file.</summary>
internal readonly record struct FileStatus(ushort Mode, ulong Inode, long Size, long Seconds, uint Nanoseconds)
{
    private const ushort KindMask = 0xF000;
    private const ushort BitsMask = 0x3FF;

    public required uint Owner { get; init; }

    public required uint Group { get; init; }

    /// <summary>How many names it has.</summary>
    public required uint Links { get; init; }

    /// <summary>The last change of anything about it, which nobody can set to another time.</summary>
    public required long ChangedSeconds { get; init; }

    public required uint ChangedNanoseconds { get; init; }

    /// <summary>What may be done with it. The bits that change who runs a program are left out.</summary>
    public UnixFileMode Permissions => (UnixFileMode)(Mode & BitsMask);

    public bool IsDirectory => (Mode & KindMask) == 0x4000;

    public bool IsRegular => (Mode & KindMask) == 0x8000;

    public string Stamp => string.Create(CultureInfo.InvariantCulture, $"{Size}:{Seconds}.{Nanoseconds}:{Inode}");
}
