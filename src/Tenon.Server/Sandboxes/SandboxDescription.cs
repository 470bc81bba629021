using System.Globalization;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// What a sandbox is made of, said once for every driver. A driver adds only what keeps its inside from its outside:
/// namespaces, the filter, no capabilities, no new privileges.
/// </summary>
internal sealed record SandboxDescription
{
    /// <summary>The hand, as a command in a sandbox finds it.</summary>
    public const string HandInside = "/run/tenon/hand";

    /// <summary>Who a sandbox believes to be, whatever uid it has outside.</summary>
    public const int InsideUid = 1000;

    private const string Home = "/home/" + SandboxEtc.User;

    private static readonly Version CountsByNamespace = new(5, 14);
    private static readonly string[] TopDirectories = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

    /// <summary>
    /// What the kernel tells everyone about the host: how it was booted, where its code lies, its keys, and the beat
    /// of its devices, from which typing can be told. Inside, they are empty.
    /// </summary>
    internal static IReadOnlyList<string> Masked { get; } =
        ["/proc/cmdline", "/proc/kallsyms", "/proc/keys", "/proc/interrupts"];

    /// <summary>The life that it names.</summary>
    public required string Instance { get; init; }

    /// <summary>The uid and gid that everything in it has outside; null for the server's own.</summary>
    public required int? Uid { get; init; }

    public required SandboxFolder Folder { get; init; }

    /// <summary>
    /// In the order in which they are made: a later one stands over an earlier one. The root is read-only.
    /// </summary>
    public required IReadOnlyList<SandboxMount> Mounts { get; init; }

    /// <summary>All environment variables; nothing of the server's is inherited.</summary>
    public required IReadOnlyList<(string Name, string Value)> Variables { get; init; }

    public required SandboxLimits Limits { get; init; }

    public string WorkingDirectory { get; init; } = "/workspace";

    public string Hostname { get; init; } = "sandbox";

    /// <summary>
    /// Its init: the hand. It finds its listening socket as <see cref="HandProtocol.ListenDescriptor"/>.
    /// </summary>
    public required IReadOnlyList<string> Command { get; init; }

    public static SandboxDescription Of(
        SandboxOptions options, SandboxFiles files, SandboxFolder folder, int? uid, string instance) => new()
        {
            Instance = instance,
            Uid = uid,
            Folder = folder,
            Mounts = [.. SystemMounts(options, files), .. SessionMounts(folder)],
            Variables =
            [
                ("PATH", PathOf([])),
                ("HOME", Home), ("USER", SandboxEtc.User), ("LOGNAME", SandboxEtc.User), ("SHELL", "/bin/bash"),
                ("LANG", "C.UTF-8"), ("TERM", "dumb"), ("TMPDIR", "/tmp"), .. ProxyVariables(),
                .. SandboxEtc.TrustVariables.Select(name => (name, SandboxEtc.BundleInside)),
            ],
            Limits = new SandboxLimits(options.MemoryBytes, options.CpuPercent, options.ProcessesMax),
            Command = [HandInside, instance, ProcessesMax(options, uid)],
        };

    /// <summary>The same with a layer over the base.</summary>
    public SandboxDescription With(SandboxLayer layer)
    {
        List<(string Name, string Value)> added = [.. layer.Variables, ("PATH", PathOf(layer.Programs))];
        return this with
        {
            Mounts =
            [
                .. Mounts, .. layer.Mounts, .. layer.WorkspaceAlsoAt is { } path
                    ? (SandboxMount[])[new SandboxMount.Bind(Folder.Workspace, path) { IsWritable = true }] : [],
                .. layer.Memories.Select(memory => new SandboxMount.Bind(
                    MemoryFolder.DirectoryOf(Folder, memory.StoreId), memory.Path) { IsWritable = memory.IsWritable }),
            ],
            Variables = [.. Variables.Where(known => added.TrueForAll(one => one.Name != known.Name)), .. added],
        };
    }

    /// <summary>Whether every sandbox has this variable, so that nobody may give it another meaning.</summary>
    public static bool IsOwn(string name) => SandboxEtc.TrustVariables.Contains(name)
        || ProxyVariables().Any(variable => variable.Item1 == name)
        || name is "PATH" or "HOME" or "USER" or "LOGNAME" or "SHELL" or "LANG" or "TERM" or "TMPDIR";

    private static string PathOf(IEnumerable<string> programs) => string.Join(':',
        [Home + "/.local/bin", .. programs, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);

    // Before Linux 5.14 processes were counted over all namespaces of a uid: where every sandbox has the server's
    // own uid, one would starve the others and the server.
    private static string ProcessesMax(SandboxOptions options, int? uid) =>
        uid is not null || Environment.OSVersion.Version >= CountsByNamespace
            ? options.ProcessesMax.ToString(CultureInfo.InvariantCulture)
            : "0";

    /// <summary>By what programs find the way out; some know only the small letters, and some only the large ones.
    /// </summary>
    private static IEnumerable<(string, string)> ProxyVariables()
    {
        const string Own = "localhost,127.0.0.1,::1";
        var proxy = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HandProtocol.EgressPort}");
        return
        [
            ("http_proxy", proxy), ("https_proxy", proxy), ("HTTP_PROXY", proxy), ("HTTPS_PROXY", proxy),
            ("no_proxy", Own), ("NO_PROXY", Own), ("NODE_USE_ENV_PROXY", "1"),
        ];
    }

    private static IEnumerable<SandboxMount> SystemMounts(SandboxOptions options, SandboxFiles files) =>
    [
        new SandboxMount.Bind(options.Image + "/usr", "/usr"),
        .. TopDirectories.Select(name => TopMount(options.Image, "/" + name)).OfType<SandboxMount>(),
        new SandboxMount.Processes("/proc"),
        new SandboxMount.Devices("/dev"),
        .. Masked.Where(File.Exists).Select(path => new SandboxMount.Masked(path)),
        new SandboxMount.Memory("/dev/shm", options.SharedMemoryBytes),
        new SandboxMount.Memory("/tmp", options.TmpBytes),
        new SandboxMount.Link("/var/tmp", "/tmp"),
        new SandboxMount.Bind(files.Etc, "/etc"),
        .. SandboxEtc.Mounted(options.Image).Select(
            name => new SandboxMount.Bind($"{options.Image}/etc/{name}", "/etc/" + name)),
        new SandboxMount.Bind(Path.Combine(files.Shared, SandboxFiles.HandName), HandInside),
    ];

    private static SandboxMount? TopMount(string? image, string path)
    {
        var top = new DirectoryInfo(image + path);
        return top.LinkTarget is { } target ? new SandboxMount.Link(path, target)
            : top.Exists ? new SandboxMount.Bind(top.FullName, path)
            : null;
    }

    private static IEnumerable<SandboxMount> SessionMounts(SandboxFolder folder) =>
    [
        new SandboxMount.Bind(folder.Workspace, "/workspace") { IsWritable = true },
        new SandboxMount.Bind(folder.Uploads, "/mnt/session/uploads"),
        new SandboxMount.Bind(folder.Outputs, "/mnt/session/outputs") { IsWritable = true },
        new SandboxMount.Link("/uploads", "mnt/session/uploads"),
        new SandboxMount.Link("/outputs", "mnt/session/outputs"),
        new SandboxMount.Directory("/mnt/memory"),
        new SandboxMount.Bind(folder.Egress, System.IO.Path.GetDirectoryName(HandProtocol.EgressSocket)!),
        new SandboxMount.Bind(folder.Home, Home) { IsWritable = true },
    ];
}

/// <summary>What a sandbox may use, with all its processes together.</summary>
/// <param name="MemoryBytes">See <see cref="SandboxOptions.MemoryBytes"/>.</param>
/// <param name="CpuPercent">See <see cref="SandboxOptions.CpuPercent"/>.</param>
/// <param name="ProcessesMax">See <see cref="SandboxOptions.ProcessesMax"/>.</param>
internal sealed record SandboxLimits(long MemoryBytes, int CpuPercent, int ProcessesMax);

/// <summary>One thing in a sandbox's tree, at an absolute path inside. What leads to it is made.</summary>
internal abstract record SandboxMount(string Path)
{
    /// <summary>A file or directory of the host, without devices and setuid bits, and read-only unless said.</summary>
    public sealed record Bind(string Source, string Path) : SandboxMount(Path)
    {
        public bool IsWritable { get; init; }
    }

    /// <summary>A file system in memory that everyone can write to.</summary>
    public sealed record Memory(string Path, long Bytes) : SandboxMount(Path)
    {
        /// <summary>As a mode is written, in octal.</summary>
        public const string Mode = "1777";
    }

    public sealed record Link(string Path, string Target) : SandboxMount(Path);

    public sealed record Directory(string Path) : SandboxMount(Path);

    /// <summary>The sandbox's own processes; the kernel's settings below it are read-only.</summary>
    public sealed record Processes(string Path) : SandboxMount(Path);

    /// <summary>The few devices that programs expect, and terminals; read-only but for those.</summary>
    public sealed record Devices(string Path) : SandboxMount(Path);

    /// <summary>A file that is there, and empty.</summary>
    public sealed record Masked(string Path) : SandboxMount(Path);
}
