namespace Tenon.Server.Sandboxes;

/// <summary>What a container runtime needs of the machine.</summary>
internal static class OciPrerequisites
{
    public static IReadOnlyList<ProbeResult> Check(SandboxOptions options, OciRuntime runtime) =>
    [
        new($"the container runtime {runtime.Name} is installed", runtime.Path is not null, runtime.Path ?? "not found",
            $"apt-get install -y {runtime.Name}, or set sandbox.oci_runtime to where it is"),
        .. Gvisors(options, runtime),
        new("the server is root, as a container runtime needs", SandboxFiles.IsRoot, $"uid {LinuxCalls.EffectiveUid}",
            "Run the server as root, or with sandbox.driver bubblewrap."),
        new("control groups can be made, as a container runtime needs",
            new SandboxCgroup(TimeProvider.System).IsAvailable, "control groups, memory and pids",
            "Run the server where /sys/fs/cgroup is writable, or with sandbox.driver bubblewrap."),
        SandboxPrerequisites.UserNamespaces(unprivileged: false),
    ];

    private static IEnumerable<ProbeResult> Gvisors(SandboxOptions options, OciRuntime runtime) =>
        !runtime.IsGvisor ? [] :
    [
        new("gVisor is a build that can hold a sandbox", Gvisor.IsUsable(runtime.Version), runtime.Version,
            $"Install a runsc of {Gvisor.Oldest} or newer, as Debian 13 has, and set sandbox.oci_runtime to where it "
            + "is; or set it to runc."),
        new("setpriv is installed", File.Exists(options.SetprivPath), options.SetprivPath,
            "apt-get install -y util-linux"),
    ];
}
