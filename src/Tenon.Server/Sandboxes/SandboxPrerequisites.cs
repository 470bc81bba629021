using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Checks what sandboxes need of the machine, before one is started: each failure comes with the one command to type.
/// </summary>
public static class SandboxPrerequisites
{
    /// <summary>The first with <c>--disable-userns</c>.</summary>
    private static readonly Version OldestBubblewrap = new(0, 8, 0);

    private const int UserNamespacesNeeded = 1;

    public static IReadOnlyList<ProbeResult> Check(SandboxOptions options)
    {
        var results = new List<ProbeResult>
        {
            Architecture(),
            Bubblewrap(options),
            new("the hand is built", File.Exists(options.HandPath), options.HandPath,
                "dotnet publish src/Tenon.Hand -c Release"),
            UserNamespaces(),
            AppArmor(),
            DataDirectory(options),
        };
        if (SandboxFiles.IsRoot)
        {
            results.Add(new ProbeResult(
                "setpriv is installed", File.Exists(options.SetprivPath), options.SetprivPath,
                "apt-get install -y util-linux"));
        }

        return results;
    }

    private static ProbeResult Architecture()
    {
        var architecture = RuntimeInformation.ProcessArchitecture;
        return new ProbeResult(
            "the architecture is supported", OperatingSystem.IsLinux() && SeccompFilter.Supports(architecture),
            $"{RuntimeInformation.OSDescription}, {architecture}", "Use Linux on x86-64 or arm64.");
    }

    private static ProbeResult Bubblewrap(SandboxOptions options)
    {
        const string Name = "bubblewrap is installed and new enough";
        const string Fix = "apt-get install -y bubblewrap";
        if (!File.Exists(options.BubblewrapPath))
        {
            return new ProbeResult(Name, false, $"{options.BubblewrapPath} is not there", Fix);
        }

        using var process = Process.Start(new ProcessStartInfo(options.BubblewrapPath, "--version")
        {
            RedirectStandardOutput = true,
        })!;
        var words = process.StandardOutput.ReadToEnd().Split(' ', '\n');
        process.WaitForExit();
        var version = words.Length > 1 && Version.TryParse(words[1], out var parsed) ? parsed : new Version(0, 0);
        return new ProbeResult(Name, version >= OldestBubblewrap, $"{version}; {OldestBubblewrap} is needed", Fix);
    }

    private static ProbeResult UserNamespaces()
    {
        var most = Setting("/proc/sys/user/max_user_namespaces") ?? "unknown";
        var cloning = Setting("/proc/sys/kernel/unprivileged_userns_clone") ?? "1";
        var allowed = cloning != "0" && (!int.TryParse(most, out var count) || count >= UserNamespacesNeeded);
        return new ProbeResult(
            "user namespaces are allowed", allowed, $"max_user_namespaces {most}, unprivileged_userns_clone {cloning}",
            cloning == "0"
                ? "sysctl -w kernel.unprivileged_userns_clone=1"
                : "sysctl -w user.max_user_namespaces=15000");
    }

    /// <summary>
    /// What this machine cannot do for sandboxes that others can; none of it keeps them from running.
    /// </summary>
    public static IReadOnlyList<ProbeResult> Lacks(SandboxOptions options) =>
    [
        new("each session has a uid of its own", SandboxFiles.IsRoot, $"uid {LinuxCalls.EffectiveUid}",
            "Run the server as root; it starts every sandbox as an unprivileged uid."),
        new("a sandbox's memory is bounded", new SandboxCgroup(options, TimeProvider.System).IsAvailable,
            "control groups, memory and pids",
            "Run the server as root on a host, or in a container with a writable /sys/fs/cgroup."),
        new("a sandbox's processor time is bounded", new SandboxCgroup(options, TimeProvider.System).BoundsTime,
            "control group cpu",
            "Run the server as root on a host, or in a container with a writable /sys/fs/cgroup."),
        new("the size of a workspace is bounded", false, "no quota is set",
            "Keep the data directory on a file system of its own."),
    ];

    // Ubuntu's profile lets bubblewrap through only from its own path and version.
    private static ProbeResult AppArmor()
    {
        var restricted = Setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1";
        var profile = Directory.Exists("/etc/apparmor.d")
            && Directory.EnumerateFiles("/etc/apparmor.d", "*bwrap*").Any();
        return new ProbeResult(
            "AppArmor lets bubblewrap make user namespaces", !restricted || profile,
            restricted ? "restricted" : "not restricted",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
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

    private static string? Setting(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : null;
}
