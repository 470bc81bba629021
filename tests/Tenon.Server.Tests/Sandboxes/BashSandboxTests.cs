using System.Globalization;
using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

public sealed class BashSandboxTests : IAsyncLifetime
{
    private readonly SandboxLab _lab = new();
    private ISandbox _sandbox = null!;

    public async ValueTask InitializeAsync() => _sandbox = await _lab.Open();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task A_command_that_never_ends_is_killed_with_its_group_and_the_place_is_kept()
    {
        await _lab.Text(_sandbox, "mkdir here && cd here; sleep 621 &");

        var answer = await _lab.Run(_sandbox, "bash", new
        {
            command = "echo before; setsid sleep 622 & (setsid sh -c 'sleep 622 & sleep 622' &); sleep 622",
            timeout_ms = 300,
        });

        Assert.True(answer.IsError);
        Assert.StartsWith("before\nbash: timed out after 300 ms", answer.Text(), StringComparison.Ordinal);
        Assert.Contains("/workspace/here", answer.Text(), StringComparison.Ordinal);
        Assert.Equal(
            "/workspace/here 1 0",
            await _lab.Text(_sandbox, "echo $PWD $(pgrep -cf 'sleep 62[1]') $(pgrep -cf 'sleep 62[2]')"));
    }

    [Fact]
    public async Task A_background_job_does_not_hold_the_call() =>
        Assert.Equal("started", await _lab.Text(_sandbox, "sleep 600 & echo started"));

    [Fact]
    public async Task A_chatty_background_job_neither_blocks_nor_speaks_into_later_calls()
    {
        await _lab.Text(_sandbox, "(head -c 5000000 /dev/zero | tr '\\0' x; touch /tmp/said) & true");

        await _lab.Text(_sandbox, "until test -e /tmp/said; do sleep 0.01; done");

        Assert.Equal("alone", await _lab.Text(_sandbox, "echo alone"));
    }

    [Fact]
    public async Task A_shell_that_exits_reports_its_status_and_comes_back()
    {
        var answer = await _lab.Bash(_sandbox, "cd /tmp; echo bye; exit 3");

        Assert.True(answer.IsError);
        Assert.StartsWith("bye\nbash: the shell exited with status 3.", answer.Text(), StringComparison.Ordinal);
        Assert.Equal("back", await _lab.Text(_sandbox, "echo back"));
    }

    [Theory]
    [InlineData("break; echo on", "on")]
    [InlineData("cat; echo eof", "eof")]
    [InlineData("echo 'it''s' \"$(echo \\'quoted\\')\"", "its 'quoted'")]
    [InlineData("cat <<'END'\na 'b' \"c\" $d\nEND", "a 'b' \"c\" $d")]
    [InlineData("printf '\\033[31mred\\033[0m\\n'", "red")]
    [InlineData("printf 'a\\377b'", "a\uFFFDb")]
    [InlineData("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ")]
    public async Task A_command_sees_a_plain_shell(string command, string expected) =>
        Assert.Equal(expected, (await _lab.Bash(_sandbox, command)).Text().Split('\n')[^1]);

    [Fact]
    public async Task What_is_wrong_in_a_command_does_not_reach_the_next()
    {
        Assert.True((await _lab.Bash(_sandbox, "echo \"unclosed")).IsError);
        Assert.True((await _lab.Bash(_sandbox, "} ; ) fi")).IsError);
        Assert.True((await _lab.Bash(_sandbox, "")).IsError);

        Assert.Equal("fine", await _lab.Text(_sandbox, "echo fine"));
    }

    [Fact]
    public async Task No_output_can_pretend_to_be_the_end_of_the_command()
    {
        var text = await _lab.Text(_sandbox, "set -x; echo '0 /tmp'; printf '%s 0 /\\0' x >&250; set +x; echo after");

        Assert.EndsWith("after", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restart_forgets_the_shell_and_ends_its_jobs()
    {
        await _lab.Text(_sandbox, "cd /tmp; COLOUR=blue; sleep 631 &");

        var answer = await _lab.Run(_sandbox, "bash", new { restart = true });

        Assert.Equal((false, "bash session restarted"), (answer.IsError, answer.Text()));
        Assert.Equal(
            "/workspace none 0",
            await _lab.Text(_sandbox, "echo $PWD ${COLOUR:-none} $(pgrep -cf 'sleep 63[1]')"));
    }

    [Fact]
    public async Task Output_of_exactly_the_limit_is_whole()
    {
        var text = await _lab.Text(_sandbox, "head -c 102400 /dev/zero | tr '\\0' x");

        Assert.Equal(102_400, text.Length);
    }

    [Fact]
    public async Task Calls_to_the_one_shell_wait_for_each_other()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(
            _ => _lab.Text(_sandbox, "n=$((${n:-0} + 1)); sleep 0.01; echo $n")));

        Assert.Equal(
            Enumerable.Range(1, 10),
            answers.Select(text => int.Parse(text, CultureInfo.InvariantCulture)).Order());
    }

    [Fact]
    public async Task Orphans_are_buried() =>
        Assert.Equal(
            "0",
            await _lab.Text(_sandbox,
                "for i in 1 2 3 4 5 6 7 8 9 10; do (true & true & ) ; done; "
                + "for i in $(seq 100); do z=$(ps -eo stat= | grep -c '^Z'); "
                + "test $z = 0 && break; sleep 0.01; done; echo $z"));

    [Fact]
    public async Task A_fork_bomb_is_contained_and_the_hand_lives()
    {
        await using var lab = new SandboxLab(options => options with { ProcessesMax = 160 });
        var sandbox = await lab.Open();

        var answer = await lab.Run(sandbox, "bash", new { command = ":(){ :|:& };: ; sleep 60", timeout_ms = 500 });

        Assert.True(answer.IsError);
        Assert.Contains("fork: ", answer.Text(), StringComparison.Ordinal);
        Assert.Equal("alive", await lab.Text(sandbox, "echo alive"));
    }

    [Fact]
    public async Task While_commands_have_every_process_they_may_the_hand_still_makes_threads()
    {
        await using var lab = new SandboxLab(options => options with { ProcessesMax = 160 });
        var sandbox = await lab.Open();
        await lab.Text(sandbox, "f() { while :; do sleep 660 & done; }; for i in 1 2 3 4; do f >/dev/null 2>&1 & done");
        // By the shell's own means: it cannot start a program now.
        while (int.Parse(await lab.Text(sandbox, "set -- /proc/[0-9]*; echo $#"), CultureInfo.InvariantCulture) < 130)
        {
            await Task.Yield();
        }

        // Each connection and each shell is a thread of the hand's, and so is the watch over a search.
        for (var i = 0; i < 5; i++)
        {
            await lab.Restart();
            var found = await lab.Open();
            Assert.Equal(sandbox.Instance, found.Instance);
            Assert.Equal("alive", await lab.Text(found, "echo alive"));
            Assert.Equal("no matches", (await lab.Run(found, "grep", new { pattern = "x" })).Text());
        }

        sandbox = await lab.Open();
        await lab.Run(sandbox, "bash", new { restart = true });
        Assert.Equal("0", await lab.Text(sandbox, "pgrep -cf 'sleep 66[0]' || true"));
    }
}
