using System.Diagnostics;

namespace Tenon.Server.Sandboxes;

/// <summary>What bubblewrap needs of the machine.</summary>
internal static class BubblewrapPrerequisites
{
    /// <summary>The first with <c>--disable-userns</c>.</summary>
    private static readonly Version OldestBubblewrap = new(0, 8, 0);

    private const int UserNamespacesNeeded = 1;

    public static IReadOnlyList<ProbeResult> Check(SandboxOptions options) =>
    [
        Bubblewrap(options),
        UserNamespaces(),
        AppArmor(),
        .. SandboxFiles.IsRoot ? [Setpriv(options)] : (ProbeResult[])[],
    ];

    private static ProbeResult Setpriv(SandboxOptions options) => new(
        "setpriv is installed", File.Exists(options.SetprivPath), options.SetprivPath,
        "apt-get install -y util-linux");

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

    private static string? Setting(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : null;
}
