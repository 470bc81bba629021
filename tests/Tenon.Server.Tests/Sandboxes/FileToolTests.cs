using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

public sealed class FileToolTests : IAsyncLifetime
{
    private readonly SandboxLab _lab = new();
    private ISandbox _sandbox = null!;

    public async ValueTask InitializeAsync() => _sandbox = await _lab.Open();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task What_is_written_is_read_and_its_parents_are_made()
    {
        var written = await Run("write", new { file_path = "a/b/c.txt", content = "zeile eins\nzwei: \u00e4\n" });
        var read = await Run("read", new { file_path = "/workspace/a/b/c.txt" });

        Assert.Equal((false, "wrote 20 bytes to a/b/c.txt"), written);
        Assert.Equal((false, "zeile eins\nzwei: \u00e4\n"), read);
    }

    [Theory]
    [InlineData(2, 3, "2\n3")]
    [InlineData(9, 0, "9\n10\n")]
    [InlineData(10, -1, "10\n")]
    [InlineData(0, 1, "1")]
    public async Task A_range_of_lines_is_read(int first, int last, string expected)
    {
        await _lab.Text(_sandbox, "seq 10 >ten");

        Assert.Equal(
            (false, expected), await Run("read", new { file_path = "ten", view_range = new[] { first, last } }));
    }

    [Fact]
    public async Task A_large_file_is_refused_with_the_way_on_and_read_in_parts()
    {
        await _lab.Text(_sandbox, "seq 1000000 >million");

        var (isError, text) = await Run("read", new { file_path = "million" });

        Assert.True(isError);
        Assert.Equal(
            "read: million has 6888896 bytes, more than the 262144 that one answer carries; "
            + "read a part with view_range, or find the place with grep", text);
        Assert.Equal(
            (false, "999999\n1000000\n"),
            await Run("read", new { file_path = "million", view_range = new[] { 999_999, 0 } }));
    }

    [Theory]
    [InlineData("missing", "no such file")]
    [InlineData("binary", "is a binary file of 4 bytes")]
    [InlineData("folder", "is a directory")]
    [InlineData("fifo", "is not a regular file")]
    [InlineData("/tmp/socket/../../workspace/missing", "cannot be resolved")]
    [InlineData("ten/below", "not a directory")]
    [InlineData("loop", "symbolic links")]
    public async Task What_cannot_be_read_says_why_and_never_waits(string path, string reason)
    {
        await _lab.Text(_sandbox, "printf 'a\\0b\\n' >binary; mkdir folder; mkfifo fifo; seq 10 >ten; ln -s loop loop");

        var (isError, text) = await Run("read", new { file_path = path });

        Assert.True(isError, text);
        Assert.Contains(reason, text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../etc/passwd")]
    [InlineData("../../../../etc/passwd")]
    [InlineData("/workspace/../etc/passwd")]
    [InlineData("link/passwd")]
    [InlineData("dangling")]
    [InlineData("/proc/self/environ")]
    [InlineData("/tmp/proc/1/root/etc/passwd")]
    [InlineData("/workspace2/x")]
    public async Task A_path_outside_the_roots_is_refused_by_every_file_tool(string path)
    {
        await _lab.Text(_sandbox, "ln -s /etc link; ln -s /etc/newfile dangling; ln -s /proc /tmp/proc");

        foreach (var (tool, input) in new (string, object)[]
        {
            ("read", new { file_path = path }),
            ("write", new { file_path = path, content = "x" }),
            ("edit", new { file_path = path, old_string = "a", new_string = "b" }),
            ("glob", new { pattern = "*", path }),
            ("grep", new { pattern = "root", path }),
        })
        {
            var (isError, text) = await Run(tool, input);
            Assert.True(isError, $"{tool} {path}: {text}");
            Assert.DoesNotContain("agent:x", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Uploads_can_be_read_and_not_written_and_outputs_arrive_outside()
    {
        var folder = _lab.Provider.FolderOf("sesn_1");
        await File.WriteAllTextAsync(Path.Combine(folder.Uploads, "in.csv"), "1,2\n", SandboxLab.Cancelled);

        var read = await Run("read", new { file_path = "/uploads/in.csv" });
        var refused = await Run("write", new { file_path = "/uploads/in.csv", content = "x" });
        var written = await Run("write", new { file_path = "/outputs/deep/out.txt", content = "done" });

        Assert.Equal((false, "1,2\n"), read);
        Assert.Equal((true, "write: /uploads/in.csv: the file system is read-only"), refused);
        Assert.False(written.IsError, written.Text);
        Assert.Equal("done", await File.ReadAllTextAsync(
            Path.Combine(folder.Outputs, "deep", "out.txt"), SandboxLab.Cancelled));
    }

    [Fact]
    public async Task An_edit_must_match_once_unless_all_are_meant()
    {
        await _lab.Text(_sandbox, "printf 'one two two $& \\r\\n' >f; chmod 750 f");

        Assert.Equal(
            (true, "edit: old_string was found 0 times in f; it must match exactly"),
            await Edit("three", "x"));
        Assert.Equal(
            (true, "edit: old_string was found 2 times in f; it must be unique, or replace_all be true"),
            await Edit("two", "x"));
        Assert.Equal((false, "edited f (1 replacement(s))"), await Edit("one", "$&1"));
        Assert.Equal((false, "edited f (2 replacement(s))"), await Edit("two", "zwei", all: true));
        Assert.Equal("750 $&1 zwei zwei $& \r", await _lab.Text(_sandbox, "echo $(stat -c %a f) \"$(cat f)\""));
    }

    [Fact]
    public async Task An_edit_does_not_spoil_what_is_not_text()
    {
        await _lab.Text(_sandbox, "printf 'caf\\351 x' >latin; cp latin before");

        Assert.True((await Run("edit", new { file_path = "latin", old_string = "x", new_string = "y" })).IsError);
        Assert.Equal("same", await _lab.Text(_sandbox, "cmp latin before && echo same"));
    }

    [Fact]
    public async Task Edits_of_one_file_at_once_lose_nothing()
    {
        await _lab.Text(_sandbox, "seq -f 'line%g;' 20 >f");

        await Task.WhenAll(Enumerable.Range(1, 20).Select(n => Edit($"line{n};", $"done{n};")));

        Assert.Equal("20", await _lab.Text(_sandbox, "grep -c done f"));
    }

    [Fact]
    public async Task Glob_finds_by_doublestar_newest_first_and_bounded()
    {
        await _lab.Text(_sandbox,
            "mkdir -p a/b .git && touch -d '1 hour ago' a/b/old.cs "
            + "&& touch a/new.cs .git/x.cs a/b/c.txt; ln -s /etc a/etc");

        Assert.Equal(
            (false, "/workspace/a/new.cs\n/workspace/a/b/old.cs"), await Run("glob", new { pattern = "**/*.cs" }));
        Assert.Equal((false, "/workspace/a/new.cs"), await Run("glob", new { pattern = "*.{cs,fs}", path = "a" }));
        Assert.Equal((false, "no matches"), await Run("glob", new { pattern = "**/passwd" }));
        Assert.True((await Run("glob", new { pattern = "/etc/*" })).IsError);
        Assert.True((await Run("glob", new { pattern = "../*" })).IsError);
        await _lab.Text(_sandbox, "mkdir many && cd many && touch $(seq 300)");
        Assert.Equal(200, (await Run("glob", new { pattern = "many/*" })).Text.Split('\n').Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Grep_finds_lines_with_and_without_ripgrep(bool ripgrep)
    {
        // Ripgrep knows no looking ahead: such a pattern takes the search that runs where the host lends no ripgrep.
        var own = ripgrep ? "" : "(?=.)";
        await _lab.Text(_sandbox, "mkdir d; printf 'alpha\\nbeta 42\\n' >d/f; mkfifo d/fifo; printf 'beta\\0' >d/bin");

        Assert.Equal((false, "/workspace/d/f:2:beta 42"), await Run("grep", new { pattern = own + "beta [0-9]+" }));
        Assert.Equal((false, "/workspace/d/f:1:alpha"), await Run("grep", new { pattern = own + "^al", path = "d/f" }));
        Assert.Equal((false, "no matches"), await Run("grep", new { pattern = own + "gamma" }));
        Assert.True((await Run("grep", new { pattern = own + "(" })).IsError);
        Assert.True((await Run("grep", new { pattern = "x", path = "nowhere" })).IsError);
    }

    [Fact]
    public async Task Grep_cuts_a_long_answer()
    {
        await _lab.Text(_sandbox, "yes match | head -100000 >f");

        var (isError, text) = await Run("grep", new { pattern = "match" });

        Assert.False(isError);
        Assert.EndsWith("\n[output truncated at 102400 bytes]", text, StringComparison.Ordinal);
        Assert.InRange(text.Length, 102_000, 102_500);
    }

    [Fact]
    public async Task A_wrong_input_names_its_field()
    {
        Assert.Equal((true, "read: file_path is required"), await Run("read", new { }));
        Assert.Equal((true, "read: file_path must be a string"), await Run("read", new { file_path = 1 }));
        Assert.Equal((true, "write: content is required"), await Run("write", new { file_path = "f" }));
        Assert.True((await Run("read", new { file_path = "f", view_range = new[] { 1 } })).IsError);
        Assert.True((await Run("bash", new { command = "true", timeout_ms = -1 })).IsError);
        Assert.True((await Run("read", new { file_path = new string('a', 70_000) })).IsError);
        Assert.True((await Run("read", new { file_path = "a\0b" })).IsError);
    }

    private Task<(bool IsError, string Text)> Edit(string old, string replacement, bool all = false) =>
        Run("edit", new { file_path = "f", old_string = old, new_string = replacement, replace_all = all });

    private async Task<(bool IsError, string Text)> Run(string tool, object input)
    {
        var output = await _lab.Run(_sandbox, tool, input);
        return (output.IsError, output.Text());
    }
}
