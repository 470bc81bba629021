using System.Diagnostics;
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

    private const int SessionIdCharsMax = 128;
    private const int ComplaintCharsMax = 500;
    private const uint WalkOnly = 0x1C9; // 0711: others may pass, and see nothing.
    private const uint Private = 0x1C0; // 0700
    private const uint ReadableProgram = 0x1ED; // 0755
    private const uint Readable = 0x1A4; // 0644

    private readonly SandboxOptions _options;
    private readonly Lock _uids = new();
    private readonly HashSet<int> _takenUids = [];
    private readonly Lazy<(string Path, string Etc)> _shared;

    public SandboxFiles(SandboxOptions options)
    {
        _options = options;
        var below = Path.GetFullPath(Path.Combine(options.DataDirectory, "sandboxes"));
        Root = !IsRoot || BlockingDirectory(below) is null
            ? below
            : Path.Combine(
                FallbackRoot, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(below)))[..12]);
        _shared = new Lazy<(string, string)>(PrepareShared);
    }

    public static bool IsRoot => LinuxCalls.EffectiveUid == 0;

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
    public SandboxRecord Prepare(SandboxFolder folder)
    {
        _ = Shared;
        if (folder.ReadRecord() is { } known)
        {
            return known;
        }

        var record = new SandboxRecord(IsRoot ? TakeUid() : null, null, 0, 0, null);
        MakeDirectory(folder.Path, WalkOnly);
        foreach (var directory in (string[])[folder.Workspace, folder.Outputs, folder.Home])
        {
            MakeDirectory(directory, Private);
            Give(directory, record.Uid);
        }

        foreach (var directory in (string[])[folder.Uploads, folder.Egress])
        {
            Directory.CreateDirectory(directory);
            SandboxUploads.Own(directory, record.Uid);
        }

        if (_options.WorkspaceTemplate is { } template)
        {
            Copy(new DirectoryInfo(template), folder.Workspace, record.Uid);
        }

        // Last, since it says that the folder is complete.
        folder.WriteRecord(record);
        return record;
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

        if (Run("rm", "-rf", "--one-file-system", "--", folder.Path) is not null)
        {
            // An agent may take its own directories' bits away, which stops an ordinary user's delete.
            _ = Run("chmod", "-R", "u+rwx", "--", folder.Path);
            if (Run("rm", "-rf", "--one-file-system", "--", folder.Path) is { } complaint)
            {
                throw new SandboxException($"The files of a sandbox could not be deleted: {complaint}");
            }
        }
    }

    /// <returns>What the program complained of; null when it did its work.</returns>
    private static string? Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var complaint = new char[ComplaintCharsMax];
        var count = process.StandardError.ReadBlock(complaint);
        while (process.StandardError.Read() >= 0)
        {
            // The rest is drained, so that the program ends; one reason is enough.
        }

        process.WaitForExit();
        return process.ExitCode == 0 ? null : new string(complaint, 0, count).Trim();
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

    private int TakeUid()
    {
        lock (_uids)
        {
            if (_takenUids.Count == 0)
            {
                _takenUids.UnionWith(Sessions().Select(id => FolderOf(id).ReadRecord()?.Uid).OfType<int>());
            }

            for (var uid = _options.FirstUid; uid < _options.FirstUid + _options.UidCount; uid++)
            {
                if (_takenUids.Add(uid))
                {
                    return uid;
                }
            }
        }

        throw new SandboxException(string.Create(
            CultureInfo.InvariantCulture,
            $"All {_options.UidCount} uids for sandboxes are taken. Delete sessions, or widen the range."));
    }

    public void ReleaseUid(int? uid)
    {
        lock (_uids)
        {
            _takenUids.Remove(uid ?? 0);
        }
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
        Share(
            Path.Combine(shared, FilterName), SeccompFilter.Build(RuntimeInformation.ProcessArchitecture), Readable);
        Share(Path.Combine(shared, EmptyName), [], Readable);
        return (shared, SandboxEtc.Prepare(shared));
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
