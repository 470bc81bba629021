using System.Globalization;
using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

public sealed class OciDriverTests
{
    [Fact]
    public async Task A_container_has_no_uid_of_the_host_but_its_own_and_the_one_that_mounts()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();

        // Two of one uid each; an ordinary user's sandbox has its own alone.
        var map = await lab.Text(sandbox, "echo $(cat /proc/self/uid_map)");
        Assert.Matches(
            Environment.IsPrivilegedProcess ? "^0 2050000 1 1000 20[0-4][0-9]{4} 1$" : "^1000 [0-9]+ 1$", map);
        Assert.Equal("1000 1000 1000", await lab.Text(sandbox, "echo $(id -u) $(id -g) $(id -G)"));
    }

    [Fact]
    public async Task A_sandbox_of_another_driver_is_ended_and_its_files_are_kept()
    {
        await using var lab = new SandboxLab();
        var first = await lab.Open();
        await lab.Text(first, "echo kept >file");
        var pid = lab.InitOf();

        await lab.Restart(options => options with { Driver = SandboxLab.OciDriver });
        var second = await lab.Open();

        Assert.Equal(Environment.IsPrivilegedProcess, first.Instance != second.Instance);
        Assert.Equal(Environment.IsPrivilegedProcess, !SandboxLab.IsAlive(pid));
        Assert.Equal("kept", await lab.Text(second, "cat file"));
        await lab.Restart(options => options with { Driver = "bubblewrap" });
        Assert.Equal("kept", await lab.Text(await lab.Open(), "cat file"));
        Assert.Empty(Bundles(lab));
    }

    [Fact]
    public async Task A_container_that_died_while_no_server_ran_is_collected_at_the_next_start()
    {
        await using var lab = Lab();
        await lab.Open("sesn_1");
        await lab.Open("sesn_2");
        var dead = lab.InitOf("sesn_1");
        System.Diagnostics.Process.GetProcessById(dead).Kill();
        SpinWait.SpinUntil(() => !SandboxLab.IsAlive(dead), TimeSpan.FromSeconds(60));
        foreach (var bundle in Bundles(lab))
        {
            Directory.SetLastWriteTimeUtc(bundle, DateTime.UnixEpoch);
        }

        await lab.Restart();
        await lab.Provider.Reap(_ => ValueTask.FromResult(true), SandboxLab.Cancelled);

        if (!Environment.IsPrivilegedProcess)
        {
            // The other driver keeps nothing.
            Assert.Empty(Bundles(lab));
            return;
        }

        var left = Assert.Single(Bundles(lab));
        var pid = await File.ReadAllTextAsync(Path.Combine(left, "pid"), SandboxLab.Cancelled);
        Assert.Equal(lab.InitOf("sesn_2"), int.Parse(pid, CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task Nothing_of_a_container_is_left_when_its_session_ends()
    {
        await using var lab = Lab();
        var instance = (await lab.Open()).Instance;

        await lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);

        Assert.Empty(Bundles(lab));
        Assert.Empty(Directory.GetDirectories("/sys/fs/cgroup", instance, new EnumerationOptions
        {
            RecurseSubdirectories = true, MaxRecursionDepth = 3,
        }));
    }

    [Fact]
    public async Task A_runtime_that_fails_is_named_with_what_it_said()
    {
        await using var lab = new SandboxLab();
        var broken = Path.Combine(lab.DataDirectory, "broken");
        await File.WriteAllTextAsync(
            broken, "#!/bin/sh\ncase \"$*\" in *--version*) echo broken 1;; *) echo no such luck >&2; exit 1;; esac\n",
            SandboxLab.Cancelled);
        LinuxCalls.Mode(broken, 0x1ED);
        await lab.Restart(options => options with { Driver = "oci", OciRuntime = broken });

        var failure = await Assert.ThrowsAsync<SandboxException>(() => lab.Open());

        Assert.Contains(
            Environment.IsPrivilegedProcess ? "no such luck" : "needs a server that is root", failure.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bundle_that_cannot_be_written_is_a_clear_error_and_the_next_start_goes_on()
    {
        await using var lab = Lab();
        await lab.Open();
        await lab.Provider.Stop("sesn_1", SandboxLab.Cancelled);
        var bundles = Path.Combine(lab.Provider.Root, ".oci", "runc", "bundles");
        if (Environment.IsPrivilegedProcess)
        {
            // A file where the bundles' folder was is what no uid can write below.
            Directory.Delete(bundles);
            await File.WriteAllTextAsync(bundles, "", SandboxLab.Cancelled);

            var failure = await Assert.ThrowsAsync<SandboxException>(() => lab.Open());

            Assert.StartsWith(
                "The sandbox's bundle could not be made: ", failure.Message, StringComparison.Ordinal);
            File.Delete(bundles);
            Directory.CreateDirectory(bundles);
        }

        Assert.Equal("on", await lab.Text(await lab.Open(), "echo on"));
    }

    [Theory]
    [InlineData("nowhere-to-be-found", "apt-get install -y nowhere-to-be-found")]
    [InlineData("/nowhere/runc", "set sandbox.oci_runtime to where it is")]
    public async Task A_runtime_that_is_not_installed_is_a_clear_error_at_the_start_and_in_a_call(
        string runtime, string fix)
    {
        await using var lab = new SandboxLab(options => options with { Driver = "oci", OciRuntime = runtime });
        var options = new SandboxOptions
        {
            DataDirectory = lab.DataDirectory, HandPath = SandboxLab.HandPath, Driver = "oci", OciRuntime = runtime,
        };

        var missing = SandboxPrerequisites.Check(options).First(result => !result.Held);
        var failure = await Assert.ThrowsAsync<SandboxException>(() => lab.Open());

        Assert.Contains(fix, missing.Fix, StringComparison.Ordinal);
        Assert.Contains("is not installed", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_survey_says_of_every_driver_whether_it_is_usable_here_and_how_fast()
    {
        await using var lab = new SandboxLab();
        var options = new SandboxOptions { DataDirectory = lab.DataDirectory, HandPath = SandboxLab.HandPath };

        var results = await DriverSurvey.Run(options, TimeProvider.System);

        Assert.Matches("^bubblewrap: a sandbox answers after [0-9]+ ms$", results[0].Name);
        Assert.Equal(
            Environment.IsPrivilegedProcess,
            results.Any(result => result.Name.StartsWith("oci:runc: a sandbox answers", StringComparison.Ordinal)));
        Assert.Empty(Directory.GetDirectories(lab.Provider.Root, "survey*"));
    }

    private static SandboxLab Lab() => new(options => options with { Driver = SandboxLab.OciDriver });

    private static string[] Bundles(SandboxLab lab)
    {
        var bundles = Path.Combine(lab.Provider.Root, ".oci", "runc", "bundles");
        return Directory.Exists(bundles) ? Directory.GetDirectories(bundles) : [];
    }
}
