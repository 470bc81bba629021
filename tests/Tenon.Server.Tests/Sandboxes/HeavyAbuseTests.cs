using System.Globalization;
using Tenon.Server.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>
/// What measures this process, which is the server of its sandboxes, and so runs while no other test does.
/// </summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>
/// Tools used in quantities: the answers stay as they are, and server and hand as large as they were.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class HeavyAbuseTests : IAsyncLifetime
{
    /// <summary>What a build of a large project or a loop in a script comes to in a day.</summary>
    private const int ShortCommands = 10_000;

    private const int HandGrowthKilobytesMax = 6_000;
    private const long ServerGrowthBytesMax = 8_000_000;

    private readonly SandboxLab _lab = new();
    private ISandbox _sandbox = null!;

    public async ValueTask InitializeAsync() => _sandbox = await _lab.Open();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task Ten_thousand_short_commands_leave_server_and_hand_as_they_were()
    {
        await Many(500);
        var (hand, server) = (_lab.HandKilobytes(), GC.GetTotalMemory(forceFullCollection: true));

        await Many(ShortCommands);

        Assert.InRange(_lab.HandKilobytes() - hand, int.MinValue, HandGrowthKilobytesMax);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - server, long.MinValue, ServerGrowthBytesMax);
    }

    [Theory]
    [InlineData("yes 0123456789abcde | head -c 100000000", "0123456789abcde")]
    [InlineData("head -c 100000000 /dev/urandom", "")]
    [InlineData("yes $'\\xff\\xfe\\xc3' | head -c 100000000", "\uFFFD\uFFFD\uFFFD")]
    public async Task A_hundred_megabytes_of_output_pass_through_no_memory(string command, string end)
    {
        await _lab.Text(_sandbox, "true");
        var (hand, allocated) = (_lab.HandKilobytes(), GC.GetTotalAllocatedBytes(precise: true));

        var answer = await _lab.Run(_sandbox, "bash", new { command }, "sevt_big");

        // The server gets the answer alone, which is text in a few copies on its way.
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - allocated, 0, ServerGrowthBytesMax);
        Assert.InRange(_lab.HandKilobytes() - hand, int.MinValue, HandGrowthKilobytesMax);
        Assert.False(answer.IsError);
        Assert.StartsWith("[output truncated]\n", answer.Text(), StringComparison.Ordinal);
        Assert.Contains(
            end + "\n[The output had 100000000 bytes; the first 67108864 are in /tmp/tool_results/sevt_big.txt",
            answer.Text(), StringComparison.Ordinal);
        Assert.Equal("67108864", await _lab.Text(_sandbox, "stat -c %s /tmp/tool_results/sevt_big.txt"));
    }

    [Fact]
    public async Task A_directory_of_a_hundred_thousand_files_is_found_and_searched_in_bounded_answers()
    {
        await _lab.Text(
            _sandbox, "mkdir /tmp/many && cd /tmp/many && seq 100000 | xargs touch && echo needle >newest "
            + "&& touch -d tomorrow newest");
        var (hand, allocated) = (_lab.HandKilobytes(), GC.GetTotalAllocatedBytes(precise: true));

        var found = await Run("glob", new { pattern = "many/*", path = "/tmp" });
        var searched = await Run("grep", new { pattern = "needle", path = "/tmp/many" });
        // Looking ahead is what ripgrep does not know: this is the hand's own search.
        var searchedByHand = await Run("grep", new { pattern = "(?=n)needle", path = "/tmp/many" });

        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - allocated, 0, ServerGrowthBytesMax);
        Assert.InRange(_lab.HandKilobytes() - hand, int.MinValue, HandGrowthKilobytesMax);
        Assert.False(found.IsError);
        Assert.Equal(200, found.Text.Split('\n').Length);
        Assert.StartsWith("/tmp/many/newest\n", found.Text, StringComparison.Ordinal);
        Assert.Equal((false, "/tmp/many/newest:1:needle"), searched);
        Assert.Equal((false, "/tmp/many/newest:1:needle"), searchedByHand);
        Assert.Equal((true, "read: /tmp/many is a directory"), await Run("read", new { file_path = "/tmp/many" }));
        Assert.Equal(
            (true, "write: /tmp/many is a directory"),
            await Run("write", new { file_path = "/tmp/many", content = "" }));
        Assert.Equal((false, "needle\n"), await Run("read", new { file_path = "/tmp/many/newest" }));
        Assert.False((await Run("write", new { file_path = "/tmp/many/another", content = "old" })).IsError);
        Assert.False((await Run(
            "edit", new { file_path = "/tmp/many/another", old_string = "old", new_string = "new" })).IsError);
    }

    private async Task Many(int count)
    {
        for (var i = 0; i < count; i++)
        {
            var call = _lab.Make("bash", new { command = $"echo {i}" });
            var answer = await _sandbox.Call(call, SandboxLab.Cancelled);
            Assert.Equal(i.ToString(CultureInfo.InvariantCulture), answer.Text());
            await _sandbox.Forget(call.ToolUseId, SandboxLab.Cancelled);
        }
    }

    private async Task<(bool IsError, string Text)> Run(string tool, object input)
    {
        var output = await _lab.Run(_sandbox, tool, input);
        return (output.IsError, output.Text());
    }
}
