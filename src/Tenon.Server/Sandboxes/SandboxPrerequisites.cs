using System.Globalization;
using System.Runtime.InteropServices;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Checks what sandboxes need of the machine, before one is started: each failure comes with the one command to type.
/// </summary>
public static class SandboxPrerequisites
{
    public static IReadOnlyList<ProbeResult> Check(SandboxOptions options) =>
    [
        Architecture(),
        .. SandboxDrivers.Of(options, new SandboxFiles(options), TimeProvider.System).Check(),
        new("the hand is built", File.Exists(options.HandPath), options.HandPath,
            "dotnet publish src/Tenon.Hand -c Release"),
        DataDirectory(options),
        .. SandboxFiles.IsRoot ? [Uids(options)] : (ProbeResult[])[],
    ];

    /// <summary>Whether this kernel lets namespaces of users be made.</summary>
    /// <param name="unprivileged">By one who is not root outside.</param>
    internal static ProbeResult UserNamespaces(bool unprivileged)
    {
        const string Name = "user namespaces are allowed";
        if (!File.Exists("/proc/self/ns/user"))
        {
            return new ProbeResult(
                Name, false, "this kernel has none", "Run the server on a kernel that is built with CONFIG_USER_NS.");
        }

        var most = Setting("/proc/sys/user/max_user_namespaces") ?? "unknown";
        var cloning = unprivileged ? Setting("/proc/sys/kernel/unprivileged_userns_clone") ?? "1" : "1";
        return new ProbeResult(
            Name, cloning != "0" && most != "0", $"max_user_namespaces {most}, unprivileged_userns_clone {cloning}",
            cloning == "0"
                ? "sysctl -w kernel.unprivileged_userns_clone=1"
                : "sysctl -w user.max_user_namespaces=15000");
    }

    internal static string? Setting(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : null;

    private static ProbeResult Architecture()
    {
        var architecture = RuntimeInformation.ProcessArchitecture;
        return new ProbeResult(
            "the architecture is supported", OperatingSystem.IsLinux() && SeccompFilter.Supports(architecture),
            $"{RuntimeInformation.OSDescription}, {architecture}", "Use Linux on x86-64 or arm64.");
    }

    /// <summary>
    /// What this machine cannot do for sandboxes that others can; none of it keeps them from running.
    /// </summary>
    public static IReadOnlyList<ProbeResult> Lacks(SandboxOptions options) =>
    [
        new("each session has a uid of its own", SandboxFiles.IsRoot, $"uid {LinuxCalls.EffectiveUid}",
            "Run the server as root; it starts every sandbox as an unprivileged uid."),
        new("a sandbox's memory is bounded", new SandboxCgroup(TimeProvider.System).IsAvailable,
            "control groups, memory and pids",
            "Run the server as root on a host, or in a container with a writable /sys/fs/cgroup."),
        new("a sandbox's processor time is bounded", new SandboxCgroup(TimeProvider.System).BoundsTime,
            "control group cpu",
            "Run the server as root on a host, or in a container with a writable /sys/fs/cgroup."),
        Disks(options),
    ];

    private static ProbeResult Disks(SandboxOptions options)
    {
        const string Name = "each session has a disk of its own, with a size and a number of files";
        if (DiskStore.Lack(options) is var (why, fix))
        {
            return new ProbeResult(Name, false, why, fix);
        }

        var files = new SandboxFiles(options);
        _ = files.Shared;
        using var disks = new SandboxDisks(files.Root, options, TimeProvider.System);
        return new ProbeResult(Name, disks.AreUsed, disks.Lack ?? "",
            "Give the server loop devices and the right to mount; until then, keep the data folder on a file system of "
            + "its own.");
    }

    /// <summary>In a container, root may have few uids beside its own.</summary>
    private static ProbeResult Uids(SandboxOptions options)
    {
        // Each line: the first uid here, the first outside, and how many there are.
        var ranges = File.ReadLines("/proc/self/uid_map")
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Select(words => words.Select(word => long.Parse(word, CultureInfo.InvariantCulture)).ToArray());
        return new ProbeResult(
            "the uids for sandboxes exist here",
            ranges.Any(range => options.FirstUid >= range[0] && options.SetupUid < range[0] + range[2]),
            $"{options.FirstUid} to {options.SetupUid} are not all mapped into this user namespace",
            "Set sandbox.first_uid and sandbox.uid_count to uids that are, or run the server outside of a container.");
    }

    private static ProbeResult DataDirectory(SandboxOptions options)
    {
        var wanted = Path.GetFullPath(Path.Combine(options.DataDirectory, "sandboxes"));
        var used = new SandboxFiles(options).Root;
        var blocking = SandboxFiles.IsRoot ? SandboxFiles.BlockingDirectory(used) : null;
        return new ProbeResult(
            "sandboxes can walk to their files", blocking is null,
            blocking is not null ? $"{blocking} is closed to other users"
                : used == wanted ? used
                : $"{used}, because {SandboxFiles.BlockingDirectory(wanted)} is closed to other users",
            $"chmod o+x {blocking}");
    }
}
