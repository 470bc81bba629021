using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>What is different with <c>runsc</c>; where none is, the same holds of the other driver.</summary>
public sealed class GvisorTests
{
    [Theory]
    [InlineData("runsc version 0.0~20221219.0", false)]
    [InlineData("runsc version 0.0~20240729.0", true)]
    [InlineData("runsc version release-20251103.0", true)]
    [InlineData("runsc version unknown", false)]
    [InlineData("runc version 1.1.5", false)]
    public void A_build_is_usable_by_its_day(string version, bool isUsable) =>
        Assert.Equal(isUsable, Gvisor.IsUsable(version));

    [Fact]
    public async Task An_old_build_is_refused_by_name_at_the_start_and_in_a_call()
    {
        await using var lab = new SandboxLab();
        var old = Path.Combine(lab.DataDirectory, "runsc");
        await File.WriteAllTextAsync(old, "#!/bin/sh\necho runsc version 0.0~20221219.0\n", SandboxLab.Cancelled);
        LinuxCalls.Mode(old, 0x1ED);
        await lab.Restart(options => options with { Driver = "oci", OciRuntime = old });
        var options = new SandboxOptions
        {
            DataDirectory = lab.DataDirectory, HandPath = SandboxLab.HandPath, Driver = "oci", OciRuntime = old,
        };

        var missing = SandboxPrerequisites.Check(options).First(result => !result.Held);
        var failure = await Assert.ThrowsAsync<SandboxException>(() => lab.Open());

        Assert.Equal("gVisor is a build that can hold a sandbox", missing.Name);
        Assert.Contains("runsc of 20240729 or newer", missing.Fix, StringComparison.Ordinal);
        Assert.Contains(
            Environment.IsPrivilegedProcess ? "0.0~20221219.0 is too old" : "needs a server that is root",
            failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_inside_leads_to_the_hands_socket_and_no_other_can_be_put_in_its_place()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();

        var tried = await lab.Text(
            sandbox,
            "ls -A /run/tenon/meeting 2>/dev/null; { : >/run/tenon/meeting/hand; } 2>/dev/null && echo made; "
            + "for f in /proc/1/fd/*; do [[ -S $f || -f $f ]] && { : <\"$f\"; } 2>/dev/null && echo \"$f\"; done; "
            + "find / -xdev -type s 2>/dev/null | grep -v egress; echo end");

        Assert.Equal("end", tried);
        var socket = lab.Provider.FolderOf("sesn_1").ReadRecord()!.Socket!;
        var made = new FileInfo(socket).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? socket;
        Assert.Equal(
            SandboxLab.HasGvisor ? UnixFileMode.UserRead | UnixFileMode.UserWrite : File.GetUnixFileMode(made),
            File.GetUnixFileMode(made));
    }

    [Fact]
    public async Task A_sandbox_is_frozen_and_goes_on_and_leaves_nothing()
    {
        await using var lab = Lab();
        var instance = (await lab.Open()).Instance;
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "(while :; do echo x >>count; sleep 0.01; done) & until [[ -s count ]]; do :; done");
        var groups = new SandboxCgroup(TimeProvider.System);

        var isFrozen = groups.Freeze(instance);
        var count = Path.Combine(lab.Provider.FolderOf("sesn_1").Workspace, "count");
        var length = new FileInfo(count).Length;
        groups.Thaw(instance);

        Assert.Equal(Environment.IsPrivilegedProcess, isFrozen);
        await lab.Text(sandbox, $"until (($(stat -c %s count) > {length})); do :; done");
        await lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);
        Assert.Empty(Directory.GetDirectories("/sys/fs/cgroup", instance, new EnumerationOptions
        {
            RecurseSubdirectories = true, MaxRecursionDepth = 3,
        }));
        Assert.DoesNotContain(SandboxProcess.All(), pid => SandboxLab.IsAlive(pid) && Names(pid, instance));
    }

    private static bool Names(int pid, string instance)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Contains(instance, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return false;
        }
    }

    private static SandboxLab Lab() => new(options => SandboxLab.With(options, SandboxLab.GvisorDriver));
}
