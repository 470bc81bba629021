using System.Globalization;
using System.Text.Json.Nodes;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// A description as the Open Container Initiative's runtimes read it: a directory with an empty tree, in which only
/// the places for the mounts are made, and a <c>config.json</c>.
/// </summary>
internal sealed class OciBundle(string path, int setupUid)
{
    private const string Version = "1.0.2";
    private const string FilterInside = "/run/tenon/filter";
    private const UnixFileMode Open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private const UnixFileMode OpenToAll = Open | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite
        | UnixFileMode.StickyBit;

    private static readonly string[] Capabilities = ["bounding", "effective", "inheritable", "permitted", "ambient"];
    private static readonly string[] Namespaces = ["pid", "network", "ipc", "uts", "mount", "user", "cgroup"];

    /// <summary>What the kernel lets be read, and a sandbox has no reason to change.</summary>
    private static readonly string[] ReadOnly = ["sys", "sysrq-trigger", "bus", "fs", "irq"];

    /// <summary>With what is mounted below a directory, and for all of it.</summary>
    private static readonly string[] Tree = ["rbind", "nosuid", "nodev", "rnosuid", "rnodev"];

    public string Path => path;

    /// <summary>Where the runtime says the pid of the sandbox's init.</summary>
    public string PidPath => System.IO.Path.Combine(path, "pid");

    /// <summary>What a runtime keeps of this one container, where it has a place for that of its own.</summary>
    public string StatePath => System.IO.Path.Combine(path, "state");

    /// <summary>Where the hand makes its socket, if it does.</summary>
    public string MeetingPath => System.IO.Path.Combine(path, "meeting");

    /// <summary>Where that socket is taken. Nothing of it is mounted.</summary>
    public string SocketPath => System.IO.Path.Combine(path, "hand");

    /// <summary>A folder that stays empty.</summary>
    public string NothingPath => System.IO.Path.Combine(path, "nothing");

    private string Root => System.IO.Path.Combine(path, "rootfs");

    public void Write(SandboxDescription description, string filter)
    {
        IReadOnlyList<SandboxMount> mounts =
            [.. description.Mounts, new SandboxMount.Bind(filter, FilterInside)];
        MakeDirectory(path, Open);
        MakeTree(mounts);
        File.WriteAllText(
            System.IO.Path.Combine(path, "config.json"), Configuration(description, mounts).ToJsonString());
    }

    private JsonObject Configuration(SandboxDescription description, IReadOnlyList<SandboxMount> mounts) => new()
    {
        ["ociVersion"] = Version,
        ["hostname"] = description.Hostname,
        ["root"] = new JsonObject { ["path"] = "rootfs", ["readonly"] = true },
        ["process"] = new JsonObject
        {
            ["user"] = new JsonObject
            {
                ["uid"] = SandboxDescription.InsideUid, ["gid"] = SandboxDescription.InsideUid,
            },
            ["args"] = ArrayOf([.. description.Command, FilterInside]),
            ["env"] = ArrayOf(description.Variables.Select(variable => $"{variable.Name}={variable.Value}")),
            ["cwd"] = description.WorkingDirectory,
            ["noNewPrivileges"] = true,
            ["capabilities"] = new JsonObject(Capabilities.Select(set =>
                KeyValuePair.Create<string, JsonNode?>(set, new JsonArray()))),
            // One byte, for the reason that LinuxCalls.ForbidCoreDumps gives.
            ["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_CORE", ["hard"] = 1, ["soft"] = 1 }),
        },
        ["mounts"] = new JsonArray([.. mounts.SelectMany(MountsOf)]),
        ["linux"] = new JsonObject
        {
            ["namespaces"] = new JsonArray([.. Namespaces.Select(kind => new JsonObject { ["type"] = kind })]),
            ["uidMappings"] = Mappings(description.Uid!.Value),
            ["gidMappings"] = Mappings(description.Uid!.Value),
            ["maskedPaths"] = ArrayOf(mounts.OfType<SandboxMount.Masked>().Select(masked => masked.Path)),
            ["readonlyPaths"] = ArrayOf(mounts.OfType<SandboxMount.Processes>()
                .SelectMany(processes => ReadOnly.Select(name => $"{processes.Path}/{name}"))),
            ["cgroupsPath"] = SandboxCgroup.PathOf(description.Instance),
            ["resources"] = Resources(description.Limits),
        },
    };

    /// <summary>
    /// The runtime works as the inside's root while it makes the mounts, and nothing else ever does: that one is the
    /// same unprivileged uid for all sandboxes, and owns nothing.
    /// </summary>
    private JsonArray Mappings(int uid) =>
    [
        new JsonObject { ["containerID"] = 0, ["hostID"] = setupUid, ["size"] = 1 },
        new JsonObject { ["containerID"] = SandboxDescription.InsideUid, ["hostID"] = uid, ["size"] = 1 },
    ];

    private static JsonObject Resources(SandboxLimits limits)
    {
        var memory = new JsonObject { ["limit"] = limits.MemoryBytes };
        if (SandboxCgroup.IsUnified)
        {
            // No swap. Version 1 has no such file where the kernel does not count swap.
            memory["swap"] = limits.MemoryBytes;
        }

        return new JsonObject
        {
            ["devices"] = new JsonArray(new JsonObject { ["allow"] = false, ["access"] = "rwm" }),
            ["memory"] = memory,
            ["pids"] = new JsonObject { ["limit"] = SandboxCgroup.ProcessesOf(limits) },
            ["cpu"] = new JsonObject
            {
                ["quota"] = SandboxCgroup.QuotaOf(limits), ["period"] = SandboxCgroup.PeriodMicroseconds,
            },
        };
    }

    private static JsonNode[] MountsOf(SandboxMount mount) => mount switch
    {
        SandboxMount.Bind { IsWritable: true } bind => [Mount("bind", bind.Source, bind.Path, [.. Tree, "rw"])],
        SandboxMount.Bind bind when Directory.Exists(bind.Source) =>
            [Mount("bind", bind.Source, bind.Path, [.. Tree, "ro", "rro"])],
        SandboxMount.Bind bind => [Mount("bind", bind.Source, bind.Path, ["bind", "nosuid", "nodev", "ro"])],
        SandboxMount.Memory memory =>
        [
            Mount("tmpfs", "tmpfs", memory.Path,
            [
                "nosuid", "nodev", $"mode={SandboxMount.Memory.Mode}",
                string.Create(CultureInfo.InvariantCulture, $"size={memory.Bytes}"),
            ]),
        ],
        SandboxMount.Processes => [Mount("proc", "proc", mount.Path, ["nosuid", "noexec", "nodev"])],
        SandboxMount.Devices =>
        [
            Mount("tmpfs", "tmpfs", mount.Path, ["nosuid", "noexec", "mode=755", "size=64k", "ro"]),
            Mount("devpts", "devpts", mount.Path + "/pts",
                ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        ],
        _ => [],
    };

    private static JsonObject Mount(string type, string source, string destination, string[] options) => new()
    {
        ["destination"] = destination, ["type"] = type, ["source"] = source, ["options"] = ArrayOf(options),
    };

    private static JsonArray ArrayOf(IEnumerable<string> words) =>
        new([.. words.Select(word => (JsonNode)word)]);

    private void MakeTree(IReadOnlyList<SandboxMount> mounts)
    {
        MakeDirectory(Root, Open);
        for (var i = 0; i < mounts.Count; i++)
        {
            // What another mount brings is there, or is made by the runtime.
            if (mounts.Take(i).Any(earlier => IsBelow(mounts[i].Path, earlier)))
            {
                continue;
            }

            var target = Root + mounts[i].Path;
            MakeParents(target);
            switch (mounts[i])
            {
                case SandboxMount.Link link:
                    File.CreateSymbolicLink(target, link.Target);
                    break;
                case SandboxMount.Bind bind when File.Exists(bind.Source):
                    File.WriteAllBytes(target, []);
                    break;
                default:
                    // Runtimes give the mount the mode of the place.
                    MakeDirectory(target, mounts[i] is SandboxMount.Memory ? OpenToAll : Open);
                    break;
            }
        }
    }

    private static bool IsBelow(string path, SandboxMount mount) =>
        mount is not (SandboxMount.Link or SandboxMount.Directory)
        && path.StartsWith(mount.Path + "/", StringComparison.Ordinal);

    private void MakeParents(string target)
    {
        var parent = System.IO.Path.GetDirectoryName(target)!;
        if (parent.Length > Root.Length && !Directory.Exists(parent))
        {
            MakeParents(parent);
            MakeDirectory(parent, Open);
        }
    }

    // Whatever the server's umask is.
    private static void MakeDirectory(string directory, UnixFileMode mode)
    {
        Directory.CreateDirectory(directory);
        File.SetUnixFileMode(directory, mode);
    }
}
