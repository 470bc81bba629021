using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Mcp;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using System.Text.Json;
using Xunit;

namespace Tenon.Server.Tests.Mcp;

/// <summary>Servers that are programs in a real sandbox.</summary>
public sealed class McpProgramTests : IAsyncLifetime
{
    private readonly SandboxLab _sandboxes = new();
    private McpLab _lab = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _lab = new McpLab(sandboxes: _sandboxes.Provider);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _sandboxes.DisposeAsync();
    }

    [Fact]
    public async Task Tools_are_listed_and_called_in_one_life_of_the_program()
    {
        var server = StdioServer.Python("an argument") with
        {
            Env = new Dictionary<string, string> { ["COLOUR"] = "blue\nand 'green'", ["HOME"] = "/tmp" },
        };

        var listing = await List(server);
        var counts = new[] { await Call(server, "count"), await Call(server, "count") };
        await List(server);

        Assert.Null(listing.Fault);
        Assert.Equal(["count", "say", "write", "die", "hang", "flood"], listing.Tools.Select(tool => tool.Name));
        Assert.All(listing.Tools, tool => Assert.True(tool.IsSandboxed && tool.CanRepeat == (tool.Name == "say")));
        Assert.Equal(["1", "2"], counts);
        Assert.Equal("3", await Call(server, "count"));
        Assert.Equal("blue\nand 'green' /workspace ['an argument']",
            await Call(server, "say", """{"name":"COLOUR"}"""));
        Assert.Equal("/tmp /workspace ['an argument']", await Call(server, "say", """{"name":"HOME"}"""));
    }

    [Theory]
    [InlineData("no-such-program", "ended with status 127, and said: bash: line 1: exec: no-such-program: not found")]
    [InlineData("/etc/passwd", "ended with status 126")]
    [InlineData("false", "ended with status 1, without a word on its error output.")]
    public async Task A_program_that_does_not_start_is_a_fault_that_says_why(string command, string why)
    {
        var listing = await List(StdioServer.Of(command));

        Assert.Equal(McpFault.Connection, listing.Fault!.Type);
        Assert.Contains($"The MCP server 's' cannot be used: its program {why}", listing.Fault.Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cat >/dev/null")]
    [InlineData("while read line; do echo nonsense; echo '{}'; echo '[1'; done")]
    public async Task A_program_that_is_silent_or_talks_nonsense_is_a_fault_after_its_time(string script)
    {
        await using var lab = new McpLab(
            new McpLimits { ProgramTimeMax = TimeSpan.FromSeconds(2), ProbeTimeMax = TimeSpan.FromSeconds(1) },
            sandboxes: _sandboxes.Provider);

        var fault = (await lab.Servers.List(
            McpLab.SessionId, [StdioServer.Of("bash", "-c", script)], Token)).Single().Fault;

        Assert.Equal(McpFault.Connection, fault!.Type);
        Assert.Contains("did not answer within 2 s", fault.Message, StringComparison.Ordinal);
        await NothingRuns(script[..3]);
    }

    [Fact]
    public async Task A_call_whose_program_dies_has_no_known_outcome_and_the_next_one_meets_a_new_program()
    {
        var server = StdioServer.Python();
        await List(server);
        await Call(server, "count");

        var said = await Call(server, "die");

        Assert.Contains("whether it took effect is unknown: its program ended with status 3, and said: out of lamps",
            said, StringComparison.Ordinal);
        Assert.Equal("1", await Call(server, "count"));
        Assert.Equal("x", await _sandboxes.Text(await _sandboxes.Open(McpLab.SessionId), "cat died"));
    }

    [Fact]
    public async Task A_call_of_a_program_that_hangs_ends_in_time()
    {
        await using var lab = new McpLab(
            new McpLimits { CallTimeMax = TimeSpan.FromSeconds(2) }, sandboxes: _sandboxes.Provider);

        var output = await lab.Servers.Call(new McpCall(
            McpLab.SessionId, StdioServer.Python(), "hang", JsonElement.Parse("{}")), Token);

        Assert.Contains("did not answer within 2 s", McpLab.Text(output.Output), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_writes_without_end_is_ended()
    {
        await using var lab = new McpLab(
            new McpLimits { AnswerBytesMax = 1_000_000 }, sandboxes: _sandboxes.Provider);

        var output = await lab.Servers.Call(new McpCall(
            McpLab.SessionId, StdioServer.Python(), "flood", JsonElement.Parse("{}")), Token);

        Assert.Contains("it wrote more than 1000000 bytes", McpLab.Text(output.Output), StringComparison.Ordinal);
        await NothingRuns("lamps");
    }

    [Fact]
    public async Task After_the_death_of_its_sandbox_a_server_is_started_in_the_next_one()
    {
        var server = StdioServer.Python();
        await List(server);
        await Call(server, "count");
        var first = await _sandboxes.Open(McpLab.SessionId);

        System.Diagnostics.Process.GetProcessById(_sandboxes.InitOf(McpLab.SessionId)).Kill();
        var listing = await List(server);

        Assert.Null(listing.Fault);
        Assert.Equal("1", await Call(server, "count"));
        Assert.NotEqual(first.Instance, (await _sandboxes.Open(McpLab.SessionId)).Instance);
    }

    [Fact]
    public async Task A_changed_entry_starts_another_program_and_the_end_of_the_session_ends_it()
    {
        await List(StdioServer.Python());
        await Call(StdioServer.Python(), "count");

        await List(StdioServer.Python("other"));

        Assert.Equal("1", await Call(StdioServer.Python("other"), "count"));
        await _lab.Servers.Close(McpLab.SessionId);
        await NothingRuns("lamps");
    }

    [Fact]
    public async Task A_server_that_rests_is_frozen_with_its_sandbox_and_answers_again()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var sandboxes = new SandboxLab(options => options with
        {
            FreezeAfter = TimeSpan.FromMinutes(1), EndAfter = TimeSpan.FromDays(1),
        })
        { Time = clock };
        await using var lab = new McpLab(clock: clock, sandboxes: sandboxes.Provider);
        var call = new McpCall(McpLab.SessionId, StdioServer.Python(), "count", JsonElement.Parse("{}"));
        await lab.Servers.Call(call, Token);

        clock.Advance(TimeSpan.FromMinutes(2));
        await sandboxes.Provider.Rest(Token);
        var wasFrozen = sandboxes.Provider.IsFrozen(McpLab.SessionId);

        Assert.Equal("2", McpLab.Text((await lab.Servers.Call(call, Token)).Output));
        Assert.Equal(Environment.IsPrivilegedProcess, wasFrozen);
    }

    private async Task NothingRuns(string pattern)
    {
        var sandbox = await _sandboxes.Open(McpLab.SessionId);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(TestStream.Patience);
        while (await _sandboxes.Text(sandbox, $"pgrep -cf '[{pattern[0]}]{pattern[1..]}' || true") != "0")
        {
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    private async Task<McpListing> List(McpServer server) =>
        (await _lab.Servers.List(McpLab.SessionId, [server], Token)).Single();

    private async Task<string> Call(McpServer server, string tool, string input = "{}") => McpLab.Text(
        (await _lab.Servers.Call(new McpCall(McpLab.SessionId, server, tool, JsonElement.Parse(input)), Token)).Output);
}
