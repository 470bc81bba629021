namespace Tenon.Server.Sandboxes;

/// <summary>What a container runtime needs of the machine.</summary>
internal static class OciPrerequisites
{
    public static IReadOnlyList<ProbeResult> Check(SandboxOptions options, OciRuntime runtime) =>
    [
        new($"the container runtime {runtime.Name} is installed", runtime.Path is not null, runtime.Path ?? "not found",
            $"apt-get install -y {runtime.Name}, or set sandbox.oci_runtime to where it is"),
        Understood(runtime),
        new("the server is root, as a container runtime needs", SandboxFiles.IsRoot, $"uid {LinuxCalls.EffectiveUid}",
            "Run the server as root, or with sandbox.driver bubblewrap."),
        new("control groups can be made, as a container runtime needs",
            new SandboxCgroup(TimeProvider.System).IsAvailable, "control groups, memory and pids",
            "Run the server where /sys/fs/cgroup is writable, or with sandbox.driver bubblewrap."),
        SandboxPrerequisites.UserNamespaces(unprivileged: false),
    ];

    /// <summary>
    /// gVisor hands no descriptor into a sandbox but the standard ones, and imports no listening socket.
    /// </summary>
    private static ProbeResult Understood(OciRuntime runtime)
    {
        var version = runtime.Version();
        return new ProbeResult(
            $"the container runtime {runtime.Name} passes the hand's socket on",
            !version.StartsWith("runsc", StringComparison.Ordinal), version,
            "gVisor hands none into a sandbox; set sandbox.oci_runtime to runc or crun.");
    }
}
