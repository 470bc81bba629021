using System.Runtime.InteropServices;
using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

public sealed class SandboxIsolationTests
{
    [Fact]
    public async Task Every_probe_of_the_self_test_holds()
    {
        await using var lab = new SandboxLab();

        var results = await SandboxSelfTest.Run(Options(lab), TimeProvider.System, SandboxLab.Cancelled);

        Assert.True(results.Count > 15);
        Assert.DoesNotContain(results, result => !result.Held);
        Assert.Empty(Directory.GetDirectories(lab.Provider.Root, "selftest*"));
    }

    [Theory]
    [InlineData("--seccomp", 2, "exec 4<&-", "18, 23a, 30a")]
    [InlineData("--seccomp", 2, "", "28a, 30a")]
    [InlineData("--unshare-all", 1, "", "36a, 36c, 46")]
    public async Task A_sandbox_with_a_part_taken_away_is_found_out(
        string flag, int words, string also, string expected)
    {
        await using var lab = new SandboxLab();
        var weakened = Path.Combine(lab.DataDirectory, "bwrap");
        await File.WriteAllTextAsync(weakened, $$"""
            #!/bin/bash
            for word in "$@"; do
              if [[ $word == {{flag}} ]]; then left={{words}}; fi
              if ((left-- > 0)); then continue; fi
              words+=("$word")
            done
            {{also}}
            [[ {{flag}} == --unshare-all ]] && words=(--unshare-pid --unshare-uts --unshare-ipc "${words[@]}")
            exec /usr/bin/bwrap "${words[@]}"
            """, SandboxLab.Cancelled);
        LinuxCalls.Mode(weakened, 0x1ED);

        var results = await SandboxSelfTest.Run(
            Options(lab) with { BubblewrapPath = weakened }, TimeProvider.System, SandboxLab.Cancelled);

        var broken = results.Where(result => !result.Held).Select(result => result.Number).ToList();
        Assert.Empty(expected.Split(", ").Except(broken));
    }

    [Theory]
    [InlineData("network", "36a, 36c, 46")]
    [InlineData("ipc", "46")]
    public async Task A_container_with_a_namespace_taken_away_is_found_out(string kind, string expected)
    {
        await using var lab = new SandboxLab();
        var weakened = Path.Combine(lab.DataDirectory, "weakened");
        await File.WriteAllTextAsync(weakened, $$"""
            #!/bin/bash
            for ((i = 1; i < $#; i++)); do
              next=$((i + 1))
              [[ ${!i} == --bundle ]] && sed -i 's/{"type":"{{kind}}"},//' "${!next}/config.json"
            done
            exec /usr/sbin/runc "$@"
            """, SandboxLab.Cancelled);
        LinuxCalls.Mode(weakened, 0x1ED);

        var results = await SandboxSelfTest.Run(
            Options(lab) with { Driver = "oci", OciRuntime = weakened }, TimeProvider.System, SandboxLab.Cancelled);

        var broken = results.Where(result => !result.Held).Select(result => result.Number).ToList();
        // An ordinary user has no runtime: then nothing starts.
        Assert.Empty((Environment.IsPrivilegedProcess ? expected : "0").Split(", ").Except(broken));
    }

    [Fact]
    public async Task A_self_test_without_bubblewrap_is_a_failed_probe_with_the_reason()
    {
        await using var lab = new SandboxLab();

        var results = await SandboxSelfTest.Run(
            Options(lab) with { BubblewrapPath = "/nowhere/bwrap" }, TimeProvider.System, SandboxLab.Cancelled);

        var result = Assert.Single(results);
        Assert.False(result.Held);
        Assert.Contains("/nowhere/bwrap", result.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prerequisites_are_met_here_and_name_what_is_missing_elsewhere()
    {
        await using var lab = new SandboxLab();

        Assert.DoesNotContain(SandboxPrerequisites.Check(Options(lab)), result => !result.Held);
        var missing = SandboxPrerequisites.Check(
            Options(lab) with { BubblewrapPath = "/nowhere/bwrap", HandPath = "/nowhere/hand" });
        Assert.Equal(
            ["apt-get install -y bubblewrap", "dotnet publish src/Tenon.Hand -c Release"],
            missing.Where(result => !result.Held).Select(result => result.Fix));
    }

    [Fact]
    public async Task Two_sessions_see_neither_each_others_files_nor_processes_nor_uid()
    {
        await using var lab = new SandboxLab();
        var first = await lab.Open("sesn_1");
        var second = await lab.Open("sesn_2");
        await lab.Text(first, "echo secret >file; echo secret >/tmp/file; sleep 641 &");

        Assert.Equal(
            "0 0", await lab.Text(second, "echo $(find /workspace /tmp -type f | wc -l) $(pgrep -cf 'sleep 64[1]')"));
        // An ordinary user has one uid for all of its sandboxes.
        Assert.Equal(!Environment.IsPrivilegedProcess, OwnerOf(lab, "sesn_1") == OwnerOf(lab, "sesn_2"));
    }

    [Fact]
    public async Task A_command_cannot_end_or_trace_the_hand()
    {
        await using var lab = new SandboxLab();
        var sandbox = await lab.Open();

        var output = await lab.Bash(
            sandbox, "kill -TERM 1; kill -KILL 1; kill -HUP 1; kill -SEGV 1; cat /proc/1/environ");

        Assert.True(output.IsError);
        Assert.Contains("Permission denied", output.Text(), StringComparison.Ordinal);
        Assert.Equal("alive", await lab.Text(sandbox, "echo alive"));
    }

    [Fact]
    public async Task Memory_file_systems_are_bounded()
    {
        await using var lab = new SandboxLab(options => options with
        {
            TmpBytes = 4 * 1024 * 1024,
            SharedMemoryBytes = 1024 * 1024,
        });
        var sandbox = await lab.Open();

        Assert.Equal("4194304 1048576", await lab.Text(sandbox,
            "head -c 9000000 /dev/zero >/tmp/f 2>/dev/null; head -c 9000000 /dev/zero >/dev/shm/f 2>/dev/null; "
            + "echo $(stat -c %s /tmp/f /dev/shm/f)"));
    }

    [Fact]
    public async Task A_command_that_takes_too_much_memory_ends_and_the_hand_lives()
    {
        await using var lab = new SandboxLab(options => options with { MemoryBytes = 96 * 1024 * 1024 });
        var sandbox = await lab.Open();
        var bounded = SandboxPrerequisites.Lacks(Options(lab)).Single(lack => lack.Name.Contains("memory")).Held;

        var output = await lab.Bash(sandbox, "x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo ${#x}");

        // Without control groups nothing stops it; the doctor says so.
        Assert.Equal(bounded, output.IsError);
        Assert.Equal("alive", await lab.Text(sandbox, "echo alive"));
    }

    [Fact]
    public async Task A_new_workspace_holds_the_template_and_nothing_that_its_links_point_to()
    {
        var template = Directory.CreateTempSubdirectory("tenon-template-").FullName;
        Directory.CreateDirectory(Path.Combine(template, "src"));
        await File.WriteAllTextAsync(Path.Combine(template, "src", "a.txt"), "a", SandboxLab.Cancelled);
        File.CreateSymbolicLink(Path.Combine(template, "out"), "/root");
        await using var lab = new SandboxLab(options => options with { WorkspaceTemplate = template });

        var sandbox = await lab.Open();
        Assert.Equal("a /root", await lab.Text(sandbox, "echo $(cat src/a.txt) $(readlink out)"));
        await lab.Text(sandbox, "rm -r src out");
        System.Diagnostics.Process.GetProcessById(lab.InitOf()).Kill();
        await lab.Restart();

        Assert.Equal("0", await lab.Text(await lab.Open(), "ls | wc -l"));
        Directory.Delete(template, recursive: true);
    }

    [Fact]
    public async Task A_stopped_sandbox_keeps_its_files_and_nothing_runs()
    {
        await using var lab = new SandboxLab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "echo kept >file");
        var pid = lab.InitOf();

        await lab.Provider.Stop("sesn_1", SandboxLab.Cancelled);

        Assert.False(SandboxLab.IsAlive(pid));
        var fresh = await lab.Open();
        Assert.NotEqual(sandbox.Instance, fresh.Instance);
        Assert.Equal("kept", await lab.Text(fresh, "cat file"));
    }

    [Fact]
    public async Task A_hand_that_does_not_run_is_a_clear_failure_and_leaves_nothing()
    {
        await using var lab = new SandboxLab(options => options with { HandPath = "/usr/bin/false" });

        var failure = await Assert.ThrowsAsync<SandboxException>(() => lab.Open());

        Assert.StartsWith("The sandbox did not start", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_directory_that_others_cannot_walk_is_left_for_one_that_they_can()
    {
        var closed = Directory.CreateTempSubdirectory("tenon-closed-").FullName;
        await using (var lab = new SandboxLab(options => options with { DataDirectory = Path.Combine(closed, "data") }))
        {
            Assert.Equal("works", await lab.Text(await lab.Open(), "echo works"));
            // Only another uid is stopped by it; an ordinary user's sandboxes stay where they were asked to be.
            Assert.StartsWith(
                Environment.IsPrivilegedProcess ? "/var/lib/tenon/" : closed,
                lab.Provider.Root, StringComparison.Ordinal);
        }

        Directory.Delete(closed, recursive: true);
    }

    [Theory]
    [InlineData("../etc")]
    [InlineData("")]
    [InlineData("a/b")]
    public async Task What_is_no_session_id_makes_no_path(string session)
    {
        await using var lab = new SandboxLab();

        await Assert.ThrowsAsync<ArgumentException>(() => lab.Open(session));
    }

    [Theory]
    [InlineData(Architecture.X64)]
    [InlineData(Architecture.Arm64)]
    public void The_filter_is_a_program_whose_jumps_stay_inside(Architecture architecture)
    {
        var program = SeccompFilter.Build(architecture);

        Assert.Equal(0, program.Length % 8);
        for (var i = 0; i < program.Length; i += 8)
        {
            var reach = (i / 8) + 1 + Math.Max(program[i + 2], program[i + 3]);
            Assert.True((program[i] & 7) != 5 || reach < program.Length / 8);
        }

        Assert.Throws<PlatformNotSupportedException>(() => SeccompFilter.Build(Architecture.S390x));
    }

    private static string OwnerOf(SandboxLab lab, string session) => File
        .ReadLines($"/proc/{lab.InitOf(session)}/status")
        .First(line => line.StartsWith("Uid:", StringComparison.Ordinal));

    private static SandboxOptions Options(SandboxLab lab) =>
        new() { DataDirectory = lab.DataDirectory, HandPath = SandboxLab.HandPath };
}
