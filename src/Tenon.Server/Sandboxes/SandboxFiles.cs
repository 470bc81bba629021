using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The folders of all sandboxes, the uids they are owned by, and the few files that every sandbox shares: the hand,
/// the filter and a made-up <c>/etc</c>.
/// </summary>
internal sealed class SandboxFiles
{
    /// <summary>What all sandboxes share; the server makes it again when it is missing.</summary>
    public const string SharedName = ".shared";

    /// <summary>Where sandboxes stand when the data folder is one that their uids cannot walk into.</summary>
    private const string FallbackRoot = "/var/lib/tenon";

    /// <summary>The file in <see cref="Shared"/> that has nothing in it.</summary>
    public const string EmptyName = "empty";

    /// <summary>The hand in <see cref="Shared"/>.</summary>
    public const string HandName = "hand";

    /// <summary>The filter in <see cref="Shared"/>, as a program of the kernel's.</summary>
    public const string FilterName = "filter";

    /// <summary>The same for a kernel that ends only a thread where it should end its process.</summary>
    public const string SignalFilterName = "filter.signal";

    private const int SessionIdCharsMax = 128;
    internal const uint WalkOnly = 0x1C9; // 0711: others may pass, and see nothing.
    internal const uint Private = 0x1C0; // 0700
    private const uint ReadableProgram = 0x1ED; // 0755
    private const uint Readable = 0x1A4; // 0644

    private readonly SandboxOptions _options;
    private readonly Func<string>? _trusted;
    private readonly Lazy<(string Path, string Etc)> _shared;

    /// <param name="trusted">What sandboxes trust beside the base's authorities, in PEM; null for nothing.</param>
    public SandboxFiles(SandboxOptions options, Func<string>? trusted = null)
    {
        (_options, _trusted) = (options, trusted);
        var below = Path.GetFullPath(Path.Combine(options.DataDirectory, "sandboxes"));
        Root = !IsRoot || BlockingDirectory(below) is null
            ? below
            : Path.Combine(
                FallbackRoot, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(below)))[..12]);
        _shared = new Lazy<(string, string)>(PrepareShared);
        Uids = new SandboxUids(
            options, () => Sessions().Select(id => FolderOf(id).ReadRecord()?.Uid).OfType<int>());
    }

    public static bool IsRoot => LinuxCalls.EffectiveUid == 0;

    public SandboxUids Uids { get; }

    /// <summary>Holds one folder a session.</summary>
    public string Root { get; }

    /// <summary>The directory with the files that every sandbox shares; made at the first use.</summary>
    public string Shared => _shared.Value.Path;

    /// <summary>What sandboxes get as <c>/etc</c>; made with <see cref="Shared"/>.</summary>
    public string Etc => _shared.Value.Etc;

    public SandboxFolder FolderOf(string sessionId)
    {
        var sound = sessionId.Length is > 0 and <= SessionIdCharsMax
            && sessionId.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
        return sound
            ? new SandboxFolder(Path.Combine(Root, sessionId))
            : throw new ArgumentException($"'{sessionId}' is not a session id", nameof(sessionId));
    }

    /// <summary>The sessions that have a folder.</summary>
    public IReadOnlyList<string> Sessions() => Directory.Exists(Root)
        ? [.. Directory.EnumerateDirectories(Root).Select(path => Path.GetFileName(path)).Where(name => name[0] != '.')]
        : [];

    /// <summary>The session's folder, made and filled when it is new, and its record.</summary>
    public SandboxRecord Prepare(SandboxFolder folder, SandboxDisks disks)
    {
        _ = Shared;
        if (folder.ReadRecord() is { } known)
        {
            disks.Mount(folder, known);
            return known;
        }

        return Make(folder, disks, null);
    }

    /// <summary>Makes a session's folder with an empty workspace, or with what <paramref name="source"/> has.</summary>
    public SandboxRecord Make(SandboxFolder folder, SandboxDisks disks, SnapshotSource? source)
    {
        var uid = IsRoot ? Uids.Take() : (int?)null;
        try
        {
            var diskUid = source?.Uid == uid ? null : source?.Uid;
            var record = new SandboxRecord(uid, null, 0, 0, null) { DiskUid = diskUid };
            MakeDirectory(folder.Path, WalkOnly);
            if (!disks.Make(folder, source, uid))
            {
                SandboxFolder.AgentFolders.ToList().ForEach(
                    name => MakeDirectory(Path.Combine(folder.Path, name), Private));
            }

            Fill(folder, source, uid);
            Directory.CreateDirectory(folder.Uploads);
            SandboxUploads.Own(folder.Uploads, uid);

            // Last, since it says that the folder is complete.
            folder.WriteRecord(record);
            return record;
        }
        catch
        {
            Uids.Release(uid);
            throw;
        }
    }

    private void Fill(SandboxFolder folder, SnapshotSource? source, int? uid)
    {
        string[] directories = [folder.Workspace, folder.Outputs, folder.Home];
        if (source is { Uid: null })
        {
            SystemProgram.RunOrThrow("cp", "-a", "--reflink=auto", "--sparse=always", "--", source.Path + "/.",
                Path.GetDirectoryName(folder.Workspace)!);
            if (uid is { } owner)
            {
                SystemProgram.RunOrThrow("chown", ["-hR", $"{owner}:{owner}", "--", .. directories]);
            }
        }
        else if (source is null)
        {
            Array.ForEach(directories, directory => Give(directory, uid));
            if (_options.WorkspaceTemplate is { } template)
            {
                Copy(new DirectoryInfo(template), folder.Workspace, uid);
            }
        }
    }

    /// <summary>Deletes a session's folder, whatever the sandbox, which has ended, left in it.</summary>
    /// <remarks>
    /// By the system's own programs: a sandbox may leave names that are not UTF-8, and trees deeper than a path is
    /// long, which the platform's library cannot name.
    /// </remarks>
    /// <exception cref="SandboxException">Something cannot be deleted; the message says what.</exception>
    public static void Delete(SandboxFolder folder)
    {
        if (!Directory.Exists(folder.Path))
        {
            return;
        }

        if (SystemProgram.Run("rm", "-rf", "--one-file-system", "--", folder.Path) is not null)
        {
            // An agent may take its own directories' bits away, which stops an ordinary user's delete.
            _ = SystemProgram.Run("chmod", "-R", "u+rwx", "--", folder.Path);
            if (SystemProgram.Run("rm", "-rf", "--one-file-system", "--", folder.Path) is { } complaint)
            {
                throw new SandboxException($"The files of a sandbox could not be deleted: {complaint}");
            }
        }
    }

    /// <summary>The first directory on the way that another uid cannot pass, or null.</summary>
    public static string? BlockingDirectory(string path)
    {
        for (var directory = new DirectoryInfo(path); directory is not null; directory = directory.Parent)
        {
            if (directory.Exists && !directory.UnixFileMode.HasFlag(UnixFileMode.OtherExecute))
            {
                return directory.FullName;
            }
        }

        return null;
    }

    // NOTE: links are copied as links and never followed, so that a template takes nothing from outside itself.
    private static void Copy(DirectoryInfo from, string to, int? uid)
    {
        foreach (var entry in from.EnumerateFileSystemInfos())
        {
            var target = Path.Combine(to, entry.Name);
            if (entry.LinkTarget is { } link)
            {
                File.CreateSymbolicLink(target, link);
            }
            else if (entry is DirectoryInfo directory)
            {
                Directory.CreateDirectory(target);
                Copy(directory, target, uid);
            }
            else
            {
                File.Copy(entry.FullName, target, overwrite: true);
            }

            Give(target, uid);
        }
    }

    private static void Give(string path, int? uid)
    {
        if (uid is { } owner)
        {
            LinuxCalls.Own(path, owner);
        }
    }

    private static void MakeDirectory(string path, uint mode)
    {
        Directory.CreateDirectory(path);
        LinuxCalls.Mode(path, mode);
    }

    private (string Path, string Etc) PrepareShared()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Root)!);
        MakeDirectory(Root, WalkOnly);
        var shared = Path.Combine(Root, SharedName);
        MakeDirectory(shared, WalkOnly);
        Share(Path.Combine(shared, HandName), File.ReadAllBytes(_options.HandPath), ReadableProgram);
        foreach (var (name, kills) in ((string, bool)[])[(FilterName, true), (SignalFilterName, false)])
        {
            Share(Path.Combine(shared, name), SeccompFilter.Build(RuntimeInformation.ProcessArchitecture, kills),
                Readable);
        }

        Share(Path.Combine(shared, EmptyName), [], Readable);
        return (shared, SandboxEtc.Prepare(shared, _options.Image, _trusted?.Invoke() ?? ""));
    }

    // By renaming, because living sandboxes still have the old file open.
    private static void Share(string path, byte[] content, uint mode)
    {
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(content))
        {
            return;
        }

        var temporary = $"{path}.{Guid.NewGuid():N}";
        File.WriteAllBytes(temporary, content);
        LinuxCalls.Mode(temporary, mode);
        File.Move(temporary, path, overwrite: true);
    }
}
