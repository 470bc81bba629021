using System.Text.Json;
using ModelContextProtocol.Protocol;
using Tenon.Server.Harness;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;
using TextBlock = Tenon.Wire.Content.TextBlock;

namespace Tenon.Server.Tests.Harness;

/// <summary>Turns whose MCP server is away or goes away, that are interrupted, or that a crash cuts short.</summary>
public sealed class McpRecoveryTests : IAsyncDisposable
{
    private readonly McpHost _host = new McpHost().Says("echo", "hello");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_server_that_is_away_is_an_error_and_the_turn_goes_on_and_tries_again_with_the_next()
    {
        await using var world = NewWorld();
        _host.Before = http => McpHost.Answer(http, 503);
        world.Model.Says("without").Calls("mcp__s__echo", "{}").Says("with");
        await world.Send("go");
        await world.Run(Token);

        var error = world.Events<SessionError>().Single().Error;
        Assert.Equal(("mcp_connection_failed_error", "retrying", "s"),
            (error.Type, error.RetryStatus.Type, error.Extra!["mcp_server_name"].GetString()));
        Assert.Empty(world.Model.Requests.Single().Tools);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);

        _host.Before = http => McpHost.Answer(http, null);
        await world.Send("again");
        await world.Run(Token);

        Assert.Single(world.Events<SessionError>());
        Assert.Equal(["echo"], _host.Calls);
    }

    [Fact]
    public async Task A_server_that_wants_a_credential_that_nobody_has_is_an_error_of_its_own()
    {
        await using var world = NewWorld();
        _host.Before = http => McpHost.Answer(http, 401);
        world.Model.Says("without");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("mcp_authentication_failed_error", world.Events<SessionError>().Single().Error.Type);
    }

    [Fact]
    public async Task A_server_that_goes_away_within_a_turn_is_an_error_and_a_result()
    {
        await using var world = NewWorld();
        world.Model.Calls("mcp__s__echo", "{}").Says("done");
        _host.Before = http => McpHost.Answer(
            http, http.Request.Headers["Mcp-Method"] == "tools/call" ? 401 : null);
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("mcp_authentication_failed_error", world.Events<SessionError>().Single().Error.Type);
        Assert.StartsWith("The call was not made.",
            ((TextBlock)world.Events<AgentMcpToolResult>().Single().Content!.Single()).Text, StringComparison.Ordinal);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task An_interrupt_takes_the_call_back_at_once()
    {
        await using var world = NewWorld();
        var (came, _) = _host.Holds("slow");
        world.Model.Calls("mcp__s__slow", "{}");
        await world.Send("go");
        var run = world.Run(Token);
        await came.WaitAsync(Token);

        await world.Interrupt();
        await run;

        await _host.TakenBack.WaitAsync(Token);
        Assert.Equal("Tool execution was interrupted before completion. Please retry.",
            ((TextBlock)world.Events<AgentMcpToolResult>().Single().Content!.Single()).Text);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task An_interrupt_reaches_a_turn_that_waits_for_a_server()
    {
        await using var world = NewWorld();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var never = new TaskCompletionSource();
        _host.Before = async http =>
        {
            asked.TrySetResult();
            await never.Task.WaitAsync(http.RequestAborted);
            return true;
        };
        await world.Send("go");
        var run = world.Run(Token);
        await asked.Task.WaitAsync(Token);

        await world.Interrupt();
        await run;

        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Empty(world.Model.Requests);
    }

    [Theory]
    [InlineData(false, false, 1)]
    [InlineData(true, false, 2)]
    [InlineData(false, true, 2)]
    public async Task A_call_that_a_crash_cut_short_runs_again_only_if_its_server_says_that_it_may(
        bool isReadOnly, bool isIdempotent, int calls)
    {
        await using var world = NewWorld();
        var (came, go) = _host.Holds(
            "change", new ToolAnnotations { ReadOnlyHint = isReadOnly, IdempotentHint = isIdempotent });
        world.Model.Calls("mcp__s__change", "{}").Says("done");
        await world.Send("go");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = world.Run(stop.Token);
        await came.WaitAsync(Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);

        go.SetResult();
        world.Crash();
        await world.Run(Token);

        var text = ((TextBlock)world.Events<AgentMcpToolResult>().Single().Content!.Single()).Text;
        Assert.Equal(calls == 1
            ? "The server was stopped while this call of s was on its way, so its outcome is unknown. "
                + "Check before you repeat it."
            : "change went on", text);
        Assert.Equal(calls, _host.Calls.Count);
    }

    [Fact]
    public async Task A_turn_that_is_cut_anywhere_makes_a_call_that_was_not_sent_and_no_call_twice()
    {
        await using var whole = NewWorld();
        whole.Model.Calls("mcp__s__echo", "{}").Says("done");
        await whole.Send("go");
        await whole.Run(Token);
        var entries = whole.Entries;
        var sent = entries.Single(entry => entry.Type == LogTypes.McpSent).Seq;
        var result = entries.Single(entry => entry.Type == "agent.mcp_tool_result").Seq;

        string[] starts =
        [
            LogTypes.McpListed, "span.model_request_start", LogTypes.ModelAnswer, LogTypes.McpSent,
            "agent.mcp_tool_result", "session.thread_status_idle",
        ];
        foreach (var cut in entries.Where(entry => starts.Contains(entry.Type)).Select(entry => entry.Seq - 1))
        {
            var before = _host.Calls.Count;
            await using var world = NewWorld();
            await world.Copy(entries.Take((int)cut));
            if (entries.Take((int)cut).All(entry => entry.Type != LogTypes.ModelAnswer))
            {
                world.Model.Calls("mcp__s__echo", "{}");
            }

            world.Model.Says("done");
            await world.Run(Token);

            Assert.Equal(cut < sent ? 1 : 0, _host.Calls.Count - before);
            Assert.Equal(cut >= sent && cut < result, world.Events<AgentMcpToolResult>().Single().IsError);
            Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        }
    }

    [Fact]
    public async Task A_call_whose_server_the_session_no_longer_has_was_not_made()
    {
        await using var world = NewWorld(new McpToolset { McpServerName = "s" });
        world.Model.Calls("mcp__s__echo", "{}").Says("done");
        await world.Send("go");
        await world.Run(Token);
        world.Agent = world.Agent with { Tools = [], McpServers = [] };
        await Confirm(world, world.Events<AgentMcpToolUse>().Single().Id!, "allow");

        await world.Run(Token);

        Assert.Equal("The session has no MCP server 's' any more.",
            ((TextBlock)world.Events<AgentMcpToolResult>().Single().Content!.Single()).Text);
        Assert.Empty(_host.Calls);
        Assert.Empty(world.Model.Requests.Last().Tools);
    }

    private TurnWorld NewWorld(params AgentTool[] tools)
    {
        var world = new TurnWorld(tools.Length > 0 ? tools : [Toolset("always_allow")]);
        world.Agent = world.Agent with { McpServers = [McpLab.Server(_host.Url)] };
        return world;
    }

    private static McpToolset Toolset(string policy) => new()
    {
        McpServerName = "s", DefaultConfig = new ToolDefaults { PermissionPolicy = Policy(policy) },
    };

    private static PermissionPolicy Policy(string type) => new() { Type = type };

    private static Task Confirm(TurnWorld world, string callId, string result, string? message = null) =>
        world.Log.Append(
        [
            world.Log.Stamp(new UserToolConfirmation
            {
                ToolUseId = callId, Result = result, DenyMessage = message,
            }),
            .. Turn.Running(world.Log),
        ]);
}
