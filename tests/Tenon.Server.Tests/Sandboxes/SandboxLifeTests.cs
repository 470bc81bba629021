using Microsoft.Extensions.Time.Testing;
using System.Diagnostics;
using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>A sandbox rests, ends, comes again and is copied.</summary>
public sealed class SandboxLifeTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _clock = new(Noon);

    [Fact]
    public async Task A_sandbox_that_rests_is_frozen_and_the_next_call_thaws_it()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "(while :; do echo >>beats; sleep 0.01; done) >/dev/null 2>&1 & export COLOUR=blue");

        _clock.Advance(TimeSpan.FromMinutes(6));
        await lab.Provider.Rest(SandboxLab.Cancelled);
        Assert.True(lab.Provider.IsFrozen("sesn_1"));
        await Until(() => StateOf(sandbox.Instance) == "FROZEN");

        Assert.Equal("blue", await lab.Text(await lab.Open(), "echo $COLOUR"));
        Assert.False(lab.Provider.IsFrozen("sesn_1"));
        Assert.Equal("THAWED", StateOf(sandbox.Instance));
    }

    [Fact]
    public async Task While_a_call_runs_a_sandbox_does_not_rest()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "mkfifo gate");
        var call = lab.Bash(sandbox, "echo through $(cat gate)");

        _clock.Advance(TimeSpan.FromHours(2));
        await lab.Provider.Rest(SandboxLab.Cancelled);

        Assert.False(lab.Provider.IsFrozen("sesn_1"));
        await File.WriteAllTextAsync(
            Path.Combine(lab.Provider.FolderOf("sesn_1").Workspace, "gate"), "it\n", SandboxLab.Cancelled);
        Assert.Equal("through it", (await call).Text());
    }

    [Fact]
    public async Task A_frozen_sandbox_is_found_by_the_next_server_and_can_be_ended()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "export COLOUR=blue");
        _clock.Advance(TimeSpan.FromMinutes(6));
        await lab.Provider.Rest(SandboxLab.Cancelled);
        Freeze(sandbox.Instance);

        await lab.Restart();
        var again = await lab.Open();
        Assert.Equal((sandbox.Instance, "blue"), (again.Instance, await lab.Text(again, "echo $COLOUR")));

        Freeze(sandbox.Instance);
        var init = lab.InitOf();
        await lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);
        Assert.False(SandboxLab.IsAlive(init));
    }

    [Fact]
    public async Task One_that_rests_for_long_is_ended_and_comes_again_with_its_files_and_its_shell()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, """
            mkdir -p d && cd d && echo kept >file; shopt -s extglob; alias ll='ls -l'; set -o noclobber
            export COLOUR=blue; plain=$'two\nlines'; list=(a 'b c'); declare -A map=([k]=v); f() { echo "f $1"; }
            """);
        var init = lab.InitOf();

        _clock.Advance(TimeSpan.FromHours(1));
        await lab.Provider.Rest(SandboxLab.Cancelled);
        Assert.False(SandboxLab.IsAlive(init));
        Assert.False(LinuxDisks.IsMount(lab.Provider.FolderOf("sesn_1").Disk));

        var again = await lab.Open();
        Assert.NotEqual(sandbox.Instance, again.Instance);
        Assert.Contains("functions, aliases and options were restored", again.Notice, StringComparison.Ordinal);
        Assert.Equal("/workspace/d kept blue two lines b c v f x noclobber on extglob on alias ll='ls -l'",
            await lab.Text(again, """
                echo $PWD $(cat file) $(printenv COLOUR) $plain "${list[1]}" ${map[k]} $(f x) \
                  $(set -o | grep noclobber) $(shopt extglob) $(alias ll)
                """));
    }

    [Fact]
    public async Task A_killed_hand_costs_the_processes_and_not_the_shells_state()
    {
        await using var lab = Lab();
        await lab.Text(await lab.Open(), "export COLOUR=blue; cd /tmp");
        var state = Path.Combine(lab.Provider.FolderOf("sesn_1").Home, ".tenon", "shell");
        await Until(() => File.Exists(state));

        var init = lab.InitOf();
        Process.GetProcessById(init).Kill();
        await Until(() => !SandboxLab.IsAlive(init));
        var again = await lab.Open();

        Assert.Contains("were restored", again.Notice, StringComparison.Ordinal);
        Assert.Equal("blue /tmp", await lab.Text(again, "echo $COLOUR $PWD"));
    }

    [Theory]
    [InlineData("exit 3")]
    [InlineData("printf '\\377\\0 not a script ('")]
    [InlineData("set -e; false")]
    public async Task A_state_that_somebody_spoiled_harms_nobody_but_that_shell(string content)
    {
        await using var lab = Lab();
        await lab.Text(await lab.Open(), "echo kept >file");
        await lab.Provider.Stop("sesn_1", SandboxLab.Cancelled);
        var folder = await lab.Provider.OpenFiles("sesn_1", SandboxLab.Cancelled);
        Directory.CreateDirectory(Path.Combine(folder.Home, ".tenon"));
        await File.WriteAllTextAsync(Path.Combine(folder.Home, ".tenon", "shell"), content, SandboxLab.Cancelled);

        var again = await lab.Open();
        await lab.Bash(again, "true");

        Assert.Equal("kept", await lab.Text(again, "cat file"));
    }

    [Fact]
    public async Task A_restart_of_the_shell_leaves_nothing_to_the_next_life()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "export COLOUR=blue");
        await lab.Run(sandbox, "bash", new { restart = true });
        await lab.Provider.Stop("sesn_1", SandboxLab.Cancelled);

        Assert.Equal("none", await lab.Text(await lab.Open(), "echo ${COLOUR:-none}"));
    }

    [Fact]
    public async Task A_snapshot_is_of_a_quiet_workspace_and_a_fork_has_it_as_a_user_of_its_own()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "echo one >file; cd /tmp; export COLOUR=blue");
        Assert.True(await lab.Provider.Snapshot("sesn_1", "snap_1", [], SandboxLab.Cancelled));
        await lab.Text(sandbox, "echo two >/workspace/file");

        Assert.Equal("snap_1", await lab.Provider.Fork("sesn_1", ["snap_0", "snap_1"], "sesn_2", SandboxLab.Cancelled));
        var fork = await lab.Open("sesn_2");

        Assert.NotEqual(lab.UidOf(), lab.UidOf("sesn_2"));
        Assert.Equal("one agent blue /tmp", await lab.Text(
            fork, "echo $(cat /workspace/file) $(stat -c %U /workspace/file) $COLOUR $PWD"));
        await lab.Text(fork, "echo fork >/workspace/file");
        Assert.Equal("two", await lab.Text(sandbox, "cat /workspace/file"));
        await lab.Provider.Stop("sesn_2", SandboxLab.Cancelled);
        Assert.Equal("fork agent", await lab.Text(
            await lab.Open("sesn_2"), "echo $(cat /workspace/file) $(stat -c %U /workspace/file)"));
    }

    [Fact]
    public async Task While_a_call_runs_no_snapshot_is_made()
    {
        await using var lab = Lab();
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "mkfifo gate");
        var call = lab.Bash(sandbox, "cat gate");

        Assert.False(await lab.Provider.Snapshot("sesn_1", "snap_1", [], SandboxLab.Cancelled));

        await File.WriteAllTextAsync(
            Path.Combine(lab.Provider.FolderOf("sesn_1").Workspace, "gate"), "x\n", SandboxLab.Cancelled);
        await call;
    }

    [Fact]
    public async Task Snapshots_that_are_not_to_stay_go_and_all_go_with_the_session()
    {
        await using var lab = Lab();
        await lab.Text(await lab.Open(), "echo one >file");
        foreach (var id in (string[])["snap_1", "snap_2", "snap_3"])
        {
            Assert.True(await lab.Provider.Snapshot("sesn_1", id, ["snap_2"], SandboxLab.Cancelled));
        }

        Assert.Null(await lab.Provider.Fork("sesn_1", ["snap_1"], "sesn_2", SandboxLab.Cancelled));
        Assert.Equal("snap_2", await lab.Provider.Fork("sesn_1", ["snap_2"], "sesn_3", SandboxLab.Cancelled));
        await lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);
        Assert.Null(await lab.Provider.Fork("sesn_1", ["snap_2", "snap_3"], "sesn_4", SandboxLab.Cancelled));
        Assert.Equal("one", await lab.Text(await lab.Open("sesn_3"), "cat file"));
    }

    [Fact]
    public async Task Without_disks_a_fork_gets_a_copy()
    {
        await using var lab = Lab(options => options with { DiskBytes = 0 });
        await lab.Text(await lab.Open(), "echo one >file; ln -s file link; mkdir -m 700 d");
        Assert.True(await lab.Provider.Snapshot("sesn_1", "snap_1", [], SandboxLab.Cancelled));

        Assert.Equal("snap_1", await lab.Provider.Fork("sesn_1", ["snap_1"], "sesn_2", SandboxLab.Cancelled));

        Assert.Equal("one agent file 700", await lab.Text(
            await lab.Open("sesn_2"), "echo $(cat link) $(stat -c %U file) $(readlink link) $(stat -c %a d)"));
    }

    [Fact]
    public async Task Strangers_are_collected_with_their_disks_and_snapshots()
    {
        await using var lab = Lab();
        await lab.Text(await lab.Open(), "echo one >file");
        await lab.Provider.Snapshot("sesn_1", "snap_1", [], SandboxLab.Cancelled);
        await lab.Open("sesn_2");

        await lab.Provider.Reap(id => ValueTask.FromResult(id == "sesn_2"), SandboxLab.Cancelled);

        Assert.Empty(Directory.EnumerateFileSystemEntries(
            lab.Provider.Root, "*sesn_1*", SearchOption.AllDirectories));
        Assert.True(File.Exists(Path.Combine(lab.Provider.Root, ".disks", "live", "sesn_2.img")));
    }

    private SandboxLab Lab(Func<SandboxOptions, SandboxOptions>? change = null) => new(change) { Time = _clock };

    private static string StateOf(string instance) => File.Exists(OlderState(instance))
        ? File.ReadAllText(OlderState(instance)).Trim()
        : File.ReadAllText($"/sys/fs/cgroup/tenon/{instance}/cgroup.freeze").Trim() == "1" ? "FROZEN" : "THAWED";

    private static void Freeze(string instance)
    {
        var older = File.Exists(OlderState(instance));
        File.WriteAllText(older ? OlderState(instance) : $"/sys/fs/cgroup/tenon/{instance}/cgroup.freeze",
            older ? "FROZEN" : "1");
    }

    private static string OlderState(string instance) => $"/sys/fs/cgroup/freezer/tenon/{instance}/freezer.state";

    private static async Task Until(Func<bool> holds)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(SandboxLab.Cancelled);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        while (!holds())
        {
            late.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
