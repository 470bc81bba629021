using System.Diagnostics;
using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>Hosts that cannot hold a sandbox, made by namespaces: the server says so where its user looks.</summary>
public sealed class SandboxHostTests
{
    /// <summary>Root in a namespace of its own, whose limits can be set without touching the host's.</summary>
    private static readonly string[] OwnRoot = ["--user", "--map-root-user", "--mount", "sh", "-c"];

    [Theory]
    [InlineData(
        "echo 0 >/proc/sys/user/max_user_namespaces", "bubblewrap",
        "user namespaces are allowed: max_user_namespaces 0", "sysctl -w user.max_user_namespaces=15000")]
    [InlineData(
        "echo 0 >/proc/sys/user/max_user_namespaces", "oci",
        "user namespaces are allowed: max_user_namespaces 0", "sysctl -w user.max_user_namespaces=15000")]
    [InlineData(
        "true", "bubblewrap",
        "the uids for sandboxes exist here: 2000000 to 2050000 are not all mapped", "Set sandbox.first_uid")]
    [InlineData(
        "mount -t tmpfs none /sys/fs/cgroup", "oci",
        "control groups can be made, as a container runtime needs", "with sandbox.driver bubblewrap")]
    public async Task A_host_that_cannot_hold_a_sandbox_is_not_served_and_says_what_to_do(
        string change, string driver, string lack, string fix)
    {
        var folder = Directory.CreateTempSubdirectory("tenon-host-");
        var server = typeof(SandboxOptions).Assembly.Location;
        using var process = Process.Start(new ProcessStartInfo(
            "unshare",
            [
                .. OwnRoot, $"{change} && exec \"$0\" \"$@\"", Path.ChangeExtension(server, null), "serve",
                "--urls", "http://127.0.0.1:0", "--data", folder.FullName, "--driver", driver,
            ])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        })!;

        var said = await process.StandardError.ReadToEndAsync(SandboxLab.Cancelled);
        await process.WaitForExitAsync(SandboxLab.Cancelled);

        Assert.NotEqual(0, process.ExitCode);
        Assert.StartsWith("tenon: Tenon cannot start:", said, StringComparison.Ordinal);
        Assert.Contains(lack, said, StringComparison.Ordinal);
        Assert.Contains(fix, said, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }
}
