using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>Tools used as nobody meant them: each answers what is documented, and the hand stays small.</summary>
public sealed class ToolAbuseTests : IAsyncLifetime
{
    /// <summary>A hand that has done a little has about 12 MB.</summary>
    private const int HandKilobytesMax = 40_000;

    private readonly SandboxLab _lab = new();
    private ISandbox _sandbox = null!;

    public async ValueTask InitializeAsync() => _sandbox = await _lab.Open();

    public async ValueTask DisposeAsync()
    {
        var kilobytes = _lab.HandKilobytes();
        await _lab.DisposeAsync();
        Assert.InRange(kilobytes, 1, HandKilobytesMax);
    }

    [Fact]
    public async Task A_command_that_ignores_every_signal_it_can_is_killed_with_its_children()
    {
        var answer = await _lab.Run(_sandbox, "bash", new
        {
            command = "trap '' TERM INT HUP QUIT; (trap '' TERM; while :; do sleep 651; done) & while :; do :; done",
            timeout_ms = 300,
        });

        Assert.True(answer.IsError);
        Assert.StartsWith("bash: timed out after 300 ms", answer.Text(), StringComparison.Ordinal);
        Assert.Equal("0", await _lab.Text(_sandbox, "pgrep -cf 'sleep 65[1]' || true"));
    }

    [Fact]
    public async Task Binary_output_is_text_when_it_arrives_and_cut_like_any_other()
    {
        var answer = await _lab.Bash(_sandbox, "head -c 3000000 /dev/urandom; printf 'a\\0b\\377c'");

        Assert.False(answer.IsError);
        Assert.StartsWith("[output truncated]\n", answer.Text(), StringComparison.Ordinal);
        Assert.Contains(
            "a\0b\uFFFDc\n[The full output, 3000005 bytes, is in ", answer.Text(), StringComparison.Ordinal);
        Assert.InRange(answer.Text().Length, 10_000, 103_000);
    }

    [Fact]
    public async Task A_command_that_reads_its_input_finds_it_empty_and_does_not_wait()
    {
        Assert.Equal("read 1, 0 bytes", await _lab.Text(
            _sandbox, "read -r line; echo \"read $?, $(wc -c) bytes\""));
        Assert.True((await _lab.Run(
            _sandbox, "bash", new { command = "head -c 1 </dev/tty", timeout_ms = 5000 })).IsError);
    }

    [Fact]
    public async Task Fifty_background_jobs_run_are_counted_and_end_with_the_shell()
    {
        await _lab.Text(_sandbox, "for i in $(seq 50); do sleep 652 & done");

        Assert.Equal("50", await _lab.Text(
            _sandbox, "until test $(pgrep -cf 'sleep 65[2]') = 50; do :; done; jobs -r | wc -l"));
        await _lab.Run(_sandbox, "bash", new { restart = true });
        Assert.Equal("0", await _lab.Text(_sandbox, "pgrep -cf 'sleep 65[2]' || true"));
    }

    [Fact]
    public async Task A_file_of_two_gigabytes_is_refused_read_in_part_and_searched_without_being_held()
    {
        await _lab.Text(_sandbox, "{ yes line | head -n 4000; echo needle; } >big && truncate -s 2G big");

        Assert.Equal(
            (true, "read: big has 2147483648 bytes, more than the 262144 that one answer carries; "
                + "read a part with view_range, or find the place with grep"),
            await Run("read", new { file_path = "big" }));
        Assert.Equal(
            (false, "needle"), await Run("read", new { file_path = "big", view_range = new[] { 4001, 4001 } }));
        Assert.Equal(
            (true, "edit: big has 2147483648 bytes, more than the 4194304 that can be edited; use bash"),
            await Run("edit", new { file_path = "big", old_string = "needle", new_string = "x" }));
        Assert.Equal((false, "/workspace/big"), await Run("glob", new { pattern = "b*" }));
        // Looking ahead is what ripgrep does not know: this is the hand's own search.
        Assert.Equal(
            (false, "/workspace/big:4001:needle"), await Run("grep", new { pattern = "(?=n)needle", path = "big" }));
        Assert.True((await Run("write", new { file_path = "big/below", content = "x" })).IsError);
    }

    [Fact]
    public async Task One_line_of_a_hundred_megabytes_is_passed_over_in_bounded_memory()
    {
        await _lab.Text(_sandbox, "head -c 100000000 /dev/zero | tr '\\0' x >line; echo >>line; echo needle >>line");

        Assert.Equal(
            (false, "/workspace/line:2:needle"), await Run("grep", new { pattern = "(?=n)needle", path = "line" }));
        Assert.Contains(
            "needle", (await Run("grep", new { pattern = "needle", path = "line" })).Text, StringComparison.Ordinal);
        Assert.Equal(
            (true, "read: the lines asked for have more than 262144 bytes; ask for fewer"),
            await Run("read", new { file_path = "line", view_range = new[] { 1, 1 } }));
    }

    [Fact]
    public async Task A_file_that_is_not_utf8_is_shown_searched_and_never_spoiled()
    {
        await _lab.Text(_sandbox, "printf 'caf\\351 \\377\\376\\nneedle\\n' >latin; cp latin before");

        Assert.Equal((false, "caf\uFFFD \uFFFD\uFFFD\nneedle\n"), await Run("read", new { file_path = "latin" }));
        Assert.Equal(
            (true, "edit: latin is not UTF-8 text; use bash"),
            await Run("edit", new { file_path = "latin", old_string = "needle", new_string = "x" }));
        foreach (var pattern in (string[])["needle", "(?=n)needle"])
        {
            Assert.Equal((false, "/workspace/latin:2:needle"), await Run("grep", new { pattern, path = "latin" }));
        }

        Assert.Equal("same", await _lab.Text(_sandbox, "cmp latin before && echo same"));
        Assert.Equal("caf\uFFFD \uFFFD\uFFFD\nneedle", await _lab.Text(_sandbox, "cat latin"));
    }

    [Fact]
    public async Task A_device_that_the_host_left_in_a_workspace_is_refused_by_every_file_tool()
    {
        // An ordinary user can make none, and neither can a sandbox.
        var kind = Environment.IsPrivilegedProcess ? new[] { "c", "1", "5" } : ["p"];
        using var made = System.Diagnostics.Process.Start(
            "mknod", ["-m", "666", Path.Combine(_lab.Provider.FolderOf("sesn_1").Workspace, "device"), .. kind]);
        await made.WaitForExitAsync(SandboxLab.Cancelled);
        Assert.Equal(0, made.ExitCode);

        foreach (var (tool, input) in new (string, object)[]
        {
            ("read", new { file_path = "device" }), ("write", new { file_path = "device", content = "x" }),
            ("edit", new { file_path = "device", old_string = "a", new_string = "b" }),
            ("grep", new { pattern = "x", path = "device" }),
        })
        {
            var (isError, text) = await Run(tool, input);
            Assert.True(isError, $"{tool}: {text}");
            Assert.Matches("is not a regular file|permission denied", text);
        }

        Assert.Equal((false, "no matches"), await Run("glob", new { pattern = "*" }));
        Assert.Equal((false, "no matches"), await Run("grep", new { pattern = "x" }));
    }

    [Fact]
    public async Task What_is_no_file_is_refused_by_every_file_tool_at_once()
    {
        await _lab.Text(
            _sandbox, "mkfifo fifo; ln -s fifo fifolink; mkdir folder; ln -s loop loop; ln -s /dev/null null; "
            + "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un(\"socket\"))'");
        foreach (var (path, reason) in new (string, string)[]
        {
            ("fifo", "is not a regular file"),
            ("socket", "is not a regular file|no such device or address"),
            ("fifolink", "is not a regular file"),
            ("folder", "is a directory"),
            ("loop", "symbolic links"),
            ("null", "is outside the directories"),
            ("/dev/null", "is outside the directories"),
        })
        {
            foreach (var (tool, input) in new (string, object)[]
            {
                ("read", new { file_path = path }),
                ("write", new { file_path = path, content = "x" }),
                ("edit", new { file_path = path, old_string = "a", new_string = "b" }),
            })
            {
                var (isError, text) = await Run(tool, input);
                Assert.True(isError, $"{tool} {path}: {text}");
                Assert.Matches(reason, text);
            }

            Assert.Equal(path != "folder", (await Run("grep", new { pattern = "x", path })).IsError);
        }

        Assert.Equal((false, "no matches"), await Run("glob", new { pattern = "{fifo,socket,fifolink,null,loop}" }));
        Assert.Equal((false, "no matches"), await Run("grep", new { pattern = "x" }));
    }

    [Fact]
    public async Task A_file_with_two_names_is_replaced_under_the_one_that_was_written()
    {
        await _lab.Text(_sandbox, "echo first >one; ln one two; ln -s one three");

        await Run("write", new { file_path = "two", content = "second\n" });
        await Run("write", new { file_path = "three", content = "third\n" });

        Assert.Equal("third second one", await _lab.Text(_sandbox, "echo $(cat one two) $(readlink three)"));
    }

    [Fact]
    public async Task Whatever_names_and_depths_a_session_leaves_it_can_be_deleted()
    {
        await _lab.Text(
            _sandbox,
            "printf x >$'odd\\xff\\xfe'; mkdir -p shut/in && touch shut/in/f && chmod 000 shut; "
            // Each of these directories has a name of 250 bytes; together they are more than a path may have.
            + "name=$(printf 'n%.0s' {1..250}); for i in {1..20}; do mkdir $name && cd -P $name; done; touch bottom");
        var folder = _lab.Provider.FolderOf("sesn_1").Path;

        await _lab.Provider.Destroy("sesn_1", SandboxLab.Cancelled);

        Assert.False(Directory.Exists(folder));
        _sandbox = await _lab.Open();
    }

    private async Task<(bool IsError, string Text)> Run(string tool, object input)
    {
        var output = await _lab.Run(_sandbox, tool, input);
        return (output.IsError, output.Text());
    }
}
