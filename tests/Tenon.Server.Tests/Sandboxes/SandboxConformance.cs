using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Hand;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>What a sandbox must do, whatever driver started it.</summary>
public abstract class SandboxConformance(string driver) : IAsyncLifetime
{
    protected SandboxLab Lab { get; } = new(options => SandboxLab.With(options, driver));

    protected ISandbox Sandbox { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Sandbox = await Lab.Open();

    public async ValueTask DisposeAsync()
    {
        await Lab.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Directory_variables_functions_and_jobs_last_from_call_to_call()
    {
        await Lab.Text(
            Sandbox,
            "mkdir -p deep && cd deep && export COLOUR=blue && say() { echo \"said $1\"; }; sleep 600 &");

        Assert.Equal(
            "/workspace/deep blue said hi Running",
            await Lab.Text(Sandbox, "echo $PWD $COLOUR $(say hi) $(jobs | awk '{print $2}')"));
    }

    [Fact]
    public async Task A_failing_command_is_an_error_with_its_output_or_else_its_status()
    {
        var loud = await Lab.Bash(Sandbox, "echo out; echo err >&2; false");
        var silent = await Lab.Bash(Sandbox, "(exit 7)");

        Assert.Equal((true, "out\nerr"), (loud.IsError, loud.Text()));
        Assert.Equal((true, "exit 7"), (silent.IsError, silent.Text()));
    }

    [Fact]
    public async Task A_command_without_output_says_so() =>
        Assert.Equal("(no output)", await Lab.Text(Sandbox, "true"));

    [Fact]
    public async Task A_call_id_that_comes_twice_runs_once()
    {
        var call = Lab.Make("bash", new { command = "echo x >>count; wc -l <count" }, "sevt_once");

        var answers = await Task.WhenAll(
            Sandbox.Call(call, SandboxLab.Cancelled), Sandbox.Call(call, SandboxLab.Cancelled));

        Assert.Equal(["1", "1"], answers.Select(answer => answer.Text()));
        await Sandbox.Forget("sevt_once", SandboxLab.Cancelled);
        Assert.Equal("2", (await Sandbox.Call(call, SandboxLab.Cancelled)).Text());
    }

    [Fact]
    public async Task After_a_restart_of_the_server_the_same_life_answers_from_its_receipts()
    {
        var instance = Sandbox.Instance;
        var call = Lab.Make("bash", new { command = "echo x >>count; wc -l <count; cd /tmp" }, "sevt_once");
        var first = await Sandbox.Call(call, SandboxLab.Cancelled);

        await Lab.Restart();
        var found = await Lab.Open();
        var second = await found.Call(call, SandboxLab.Cancelled);

        Assert.Equal((instance, first.Text()), (found.Instance, second.Text()));
        Assert.Equal("/tmp 1", await Lab.Text(found, "echo $PWD $(wc -l </workspace/count)"));
    }

    [Fact]
    public async Task A_call_under_way_goes_on_while_the_server_restarts()
    {
        // A file and no pipe, which would be of the sandbox's kernel and not always the host's.
        const string Command =
            "echo begun >begun; until [[ -s gate ]]; do sleep 0.02; done; read line <gate; echo got $line";
        var call = Lab.Make("bash", new { command = Command }, "sevt_long");
        var lost = Sandbox.Call(call, SandboxLab.Cancelled);
        await Begun();

        await Lab.Restart();
        await Assert.ThrowsAsync<SandboxException>(() => lost);
        var found = await Lab.Open();
        var again = found.Call(call, SandboxLab.Cancelled);
        await File.WriteAllTextAsync(
            Path.Combine(Lab.Provider.FolderOf("sesn_1").Workspace, "gate"), "through\n", SandboxLab.Cancelled);

        Assert.Equal("got through", (await again).Text());
    }

    [Fact]
    public async Task Concurrent_opens_of_a_session_share_one_sandbox()
    {
        var opened = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Lab.Open("sesn_many")));

        Assert.Single(opened.Select(sandbox => sandbox.Instance).Distinct());
    }

    [Fact]
    public async Task A_cancelled_call_answers_at_once_and_leaves_nothing_running()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(SandboxLab.Cancelled);
        var call = Sandbox.Call(
            Lab.Make("bash", new { command = "echo begun >begun; sleep 611 & setsid sleep 611; sleep 611" }),
            cancellation.Token);
        await Begun();

        await cancellation.CancelAsync();
        var answer = await call.WaitAsync(TestStream.Patience, SandboxLab.Cancelled);

        Assert.True(answer.IsError);
        Assert.StartsWith(HandProtocol.Interrupted, answer.Text(), StringComparison.Ordinal);
        Assert.Equal("0", await Lab.Text(Sandbox, "pgrep -cf 'sleep 61[1]' || true"));
    }

    [Fact]
    public async Task A_dead_sandbox_fails_the_call_and_the_next_life_keeps_the_files()
    {
        await Lab.Text(Sandbox, "echo kept >file; COLOUR=blue");
        var call = Lab.Bash(Sandbox, "sleep 600");

        Kill(Lab.InitOf());
        await Assert.ThrowsAsync<SandboxException>(() => call);
        var fresh = await Lab.Open();

        Assert.NotEqual(Sandbox.Instance, fresh.Instance);
        Assert.Equal("kept none", await Lab.Text(fresh, "echo $(cat file) ${COLOUR:-none}"));
    }

    [Fact]
    public async Task Destroying_a_session_ends_every_process_and_deletes_every_file()
    {
        await Lab.Text(
            Sandbox, "setsid nohup sleep 600 >/dev/null 2>&1 & mkdir -p a/b && echo x >a/b/c && chmod 000 a");
        var (pid, folder) = (Lab.InitOf(), Lab.Provider.FolderOf("sesn_1").Path);

        await Lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);

        Assert.False(Directory.Exists(folder));
        Assert.False(SandboxLab.IsAlive(pid));
        await Assert.ThrowsAsync<SandboxException>(() => Lab.Bash(Sandbox, "true"));
    }

    [Fact]
    public async Task A_start_that_a_crash_cut_short_is_ended_by_the_next_server_and_the_files_are_kept()
    {
        await Lab.Text(Sandbox, "echo kept > /workspace/file");
        var init = Lab.InitOf();
        // As a server leaves it that dies before it knows whom it has started.
        var folder = Lab.Provider.FolderOf("sesn_1");
        folder.WriteRecord(folder.ReadRecord()! with { Pid = 0, StartedTicks = 0 });
        await Lab.Restart();

        await Lab.Provider.Reap(_ => ValueTask.FromResult(true), SandboxLab.Cancelled);

        Assert.False(SandboxLab.IsAlive(init));
        Assert.Equal("kept", await Lab.Text(await Lab.Open(), "cat /workspace/file"));
    }

    [Fact]
    public async Task Reaping_ends_only_the_sandboxes_of_sessions_that_are_no_more()
    {
        var other = await Lab.Open("sesn_2");
        var folder = Lab.Provider.FolderOf("sesn_1").Path;
        await Lab.Restart();

        await Lab.Provider.Reap(id => ValueTask.FromResult(id == "sesn_2"), SandboxLab.Cancelled);

        Assert.False(Directory.Exists(folder));
        Assert.Equal(other.Instance, (await Lab.Open("sesn_2")).Instance);
    }

    /// <summary>Waits until a command has made the file <c>begun</c>.</summary>
    private async Task Begun()
    {
        while ((await Lab.Run(Sandbox, "glob", new { pattern = "begun" })).Text() == "no matches")
        {
            await Task.Yield();
        }
    }

    [Fact]
    public async Task A_program_has_its_ends_here_and_dies_with_its_connection()
    {
        var sent = new byte[1024 * 1024];
        Random.Shared.NextBytes(sent);
        var program = await Start("bash", "-c", "sleep 612 & cat");
        var got = new byte[sent.Length];

        await Task.WhenAll(
            program.Input.WriteAsync(sent, SandboxLab.Cancelled).AsTask(),
            program.Output.ReadExactlyAsync(got, SandboxLab.Cancelled).AsTask());

        Assert.Equal(sent, got);
        Assert.Equal("1", await Lab.Text(Sandbox, "pgrep -cf '^sleep 61[2]'"));
        await program.DisposeAsync();
        await Gone("^sleep 61[2]");
    }

    [Fact]
    public async Task A_program_that_ends_has_said_all_and_how()
    {
        await using var program = await Start("bash", "-c", "seq 100000; echo 'no lamps' >&2; exit 7");

        using var reader = new StreamReader(program.Output);
        var said = await reader.ReadToEndAsync(SandboxLab.Cancelled);

        Assert.EndsWith("\n99999\n100000\n", said, StringComparison.Ordinal);
        Assert.Equal(new ProgramEnd(7, "no lamps\n"), program.End);
    }

    [Fact]
    public async Task A_command_that_is_cancelled_takes_no_program_with_it()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(SandboxLab.Cancelled);
        var call = Sandbox.Call(Lab.Make("bash", new { command = "echo begun >begun; sleep 600" }), cancellation.Token);
        await Begun();
        await using var program = await Start("bash", "-c", "sleep 614 & cat");
        var line = new byte[3];

        await cancellation.CancelAsync();
        await call;

        await program.Input.WriteAsync("hi\n"u8.ToArray(), SandboxLab.Cancelled);
        await program.Output.ReadExactlyAsync(line, SandboxLab.Cancelled);
        Assert.Equal("hi\n"u8, line);
        Assert.Equal("1", await Lab.Text(Sandbox, "pgrep -cf '^sleep 61[4]'"));
    }

    [Fact]
    public async Task As_many_programs_run_as_may_and_an_ended_one_makes_room()
    {
        var programs = new List<SandboxProgram>();
        for (var i = 0; i < HandProtocol.ProgramsMax; i++)
        {
            programs.Add(await Start("cat"));
        }

        var refused = await Assert.ThrowsAsync<SandboxException>(() => Start("cat"));
        await programs[0].DisposeAsync();
        await Gone("^cat$", HandProtocol.ProgramsMax - 1);

        Assert.Equal("The hand refused: 16 programs run already.", refused.Message);
        await using var next = await StartWhenThereIsRoom(refused.Message);
        foreach (var program in programs)
        {
            await program.DisposeAsync();
        }
    }

    /// <summary>An ended program counts until the hand has looked for what it has left behind.</summary>
    private async Task<SandboxProgram> StartWhenThereIsRoom(string refusal)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(SandboxLab.Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (true)
        {
            try
            {
                return await Start("cat");
            }
            catch (SandboxException exception) when (exception.Message == refusal)
            {
                // It is not there yet.
                patience.Token.ThrowIfCancellationRequested();
            }
        }
    }

    private Task<SandboxProgram> Start(string command, params string[] arguments) => Sandbox.Start(
        new HandProgram(command, arguments, new Dictionary<string, string>()), SandboxLab.Cancelled);

    private async Task Gone(string pattern, int left = 0)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(SandboxLab.Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (await Lab.Text(Sandbox, $"pgrep -cf '{pattern}' || true") != $"{left}")
        {
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    [Fact]
    public async Task An_unknown_tool_is_an_error_that_the_model_reads() =>
        Assert.True((await Lab.Run(Sandbox, "teleport", new { })).IsError);

    protected static void Kill(int pid) => System.Diagnostics.Process.GetProcessById(pid).Kill();
}

public sealed class BubblewrapConformance() : SandboxConformance("bubblewrap");

public sealed class OciConformance() : SandboxConformance(SandboxLab.OciDriver);

public sealed class GvisorConformance() : SandboxConformance(SandboxLab.GvisorDriver);
