using System.Diagnostics;

namespace Tenon.Server.Sandboxes;

/// <summary>What bubblewrap needs of the machine.</summary>
internal static class BubblewrapPrerequisites
{
    /// <summary>The first with <c>--disable-userns</c>.</summary>
    private static readonly Version OldestBubblewrap = new(0, 8, 0);

    public static IReadOnlyList<ProbeResult> Check(SandboxOptions options) =>
    [
        Bubblewrap(options),
        SandboxPrerequisites.UserNamespaces(unprivileged: true),
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

    // Ubuntu's profile lets bubblewrap through only from its own path and version.
    private static ProbeResult AppArmor()
    {
        var restricted = SandboxPrerequisites.Setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1";
        var profile = Directory.Exists("/etc/apparmor.d")
            && Directory.EnumerateFiles("/etc/apparmor.d", "*bwrap*").Any();
        return new ProbeResult(
            "AppArmor lets bubblewrap make user namespaces", !restricted || profile,
            restricted ? "restricted" : "not restricted",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    }
}
