using System.Text.Json;
using ModelContextProtocol.Protocol;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;
using TextBlock = Tenon.Wire.Content.TextBlock;

namespace Tenon.Server.Tests.Harness;

/// <summary>Turns whose agent has MCP servers: what the log says, what models see, and what a crash leaves.</summary>
public sealed class McpTurnTests : IAsyncDisposable
{
    private readonly McpHost _host = new McpHost().Says("echo", "hello");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_call_is_an_event_with_the_servers_own_names_and_so_is_its_result()
    {
        await using var world = NewWorld();
        world.Model.Calls("mcp__s__echo", """{"text":"x"}""").Says("done");
        await world.Send("go");

        await world.Run(Token);

        var use = world.Events<AgentMcpToolUse>().Single();
        var result = world.Events<AgentMcpToolResult>().Single();
        Assert.Equal(("s", "echo", "allow", "always_allow"),
            (use.McpServerName, use.Name, use.EvaluatedPermission, use.Evaluation!.Type));
        Assert.Equal((use.Id, "hello", false),
            (result.McpToolUseId, ((TextBlock)result.Content!.Single()).Text, result.IsError));
        Assert.Empty(world.Events<AgentToolUse>());
        Assert.Empty(world.Events<SessionError>());
        Assert.DoesNotContain(world.Entries, entry => entry.Type == LogTypes.SandboxOpened);
        Assert.Equal("hello", ResultText(world.Model.Requests.Last()));
    }

    [Fact]
    public async Task What_a_model_is_offered_stays_the_same_through_turns_restarts_and_compactions()
    {
        await using var world = NewWorld();
        _host.Says("other", "");
        world.Model.Says("one").Says("two").Says("three");
        await world.Send("go");
        await world.Run(Token);
        await world.Send("again");
        await world.Run(Token);
        world.Crash();
        await world.Log.Append(new Compacted { Summary = "s", Kept = 0, Usage = new ModelUsage(), CostUsd = 0 });
        await world.Send("once more");
        await world.Run(Token);

        var offered = world.Model.Requests.Select(request => JsonSerializer.Serialize(request.Tools)).ToList();
        Assert.Equal(3, offered.Count);
        Assert.Single(offered.Distinct());
        Assert.Equal(["mcp__s__echo", "mcp__s__other"], world.Model.Requests.First().Tools.Select(tool => tool.Name));

        // A list that has not changed is not written down again.
        var listed = world.Entries.Where(entry => entry.Type == LogTypes.McpListed).ToList();
        Assert.Equal(3, listed.Count);
        Assert.Equal([true, false, false], listed.Select(
            entry => entry.Body.Contains("Does echo.", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_tool_that_comes_or_goes_counts_from_the_next_turn_on()
    {
        await using var world = NewWorld();
        world.Model.Says("one").Says("two");
        await world.Send("go");
        await world.Run(Token);
        _host.Says("new", "");
        _host.Remove("echo");
        await world.Send("again");
        await world.Run(Token);

        Assert.Equal(["mcp__s__echo", "mcp__s__new"],
            world.Model.Requests.Select(request => request.Tools.Single().Name));
    }

    [Fact]
    public async Task A_disabled_tool_is_not_offered_and_a_call_of_it_is_refused()
    {
        await using var world = NewWorld(new McpToolset
        {
            McpServerName = "s",
            DefaultConfig = new ToolDefaults { Enabled = false },
            Configs = [new ToolConfig { Name = "fine", Enabled = true, PermissionPolicy = Policy("always_allow") }],
        });
        _host.Says("fine", "ok");
        world.Model.Answers(
            new ModelToolUse("a", "mcp__s__echo", JsonElement.Parse("{}")),
            new ModelToolUse("b", "mcp__s__fine", JsonElement.Parse("{}"))).Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal(["mcp__s__fine"], world.Model.Requests.First().Tools.Select(tool => tool.Name));
        var use = world.Events<AgentMcpToolUse>()[0];
        Assert.Equal(("deny", null), (use.EvaluatedPermission, use.Evaluation));
        Assert.Equal([true, false], world.Events<AgentMcpToolResult>()
            .OrderBy(result => result.McpToolUseId != use.Id).Select(result => result.IsError == true));
        Assert.Equal(["fine"], _host.Calls);
    }

    [Fact]
    public async Task A_tool_that_no_server_has_is_refused_as_any_other()
    {
        await using var world = NewWorld();
        world.Model.Calls("mcp__s__invented", "{}").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("deny", world.Events<AgentToolUse>().Single().EvaluatedPermission);
        Assert.True(world.Events<AgentToolResult>().Single().IsError);
    }

    [Fact]
    public async Task By_default_a_call_asks_and_runs_once_it_is_allowed()
    {
        await using var world = NewWorld(new McpToolset { McpServerName = "s" });
        world.Model.Calls("mcp__s__echo", "{}").Says("done");
        await world.Send("go");
        await world.Run(Token);

        var waiting = world.Events<SessionStatusIdle>().Single().StopReason;
        Assert.Equal("requires_action", waiting.Type);
        Assert.Equal("ask", world.Events<AgentMcpToolUse>().Single().EvaluatedPermission);
        Assert.Empty(_host.Calls);

        world.Crash();
        await Confirm(world, waiting.EventIds!.Single(), "allow");
        await world.Run(Token);

        Assert.Equal("hello", ((TextBlock)world.Events<AgentMcpToolResult>().Single().Content!.Single()).Text);
        Assert.Equal(["echo"], _host.Calls);
    }

    [Fact]
    public async Task A_call_that_is_denied_does_not_reach_the_server()
    {
        await using var world = NewWorld(new McpToolset { McpServerName = "s" });
        world.Model.Calls("mcp__s__echo", "{}").Says("done");
        await world.Send("go");
        await world.Run(Token);
        await Confirm(world, world.Events<AgentMcpToolUse>().Single().Id!, "deny", "not now");
        await world.Run(Token);

        var result = world.Events<AgentMcpToolResult>().Single();
        Assert.Equal((true, "The user denied this call. They said: not now"),
            (result.IsError, ((TextBlock)result.Content!.Single()).Text));
        Assert.Empty(_host.Calls);
    }

    [Theory]
    [InlineData("ALLOW", "allow", 1)]
    [InlineData("DENY", "deny", 0)]
    [InlineData("hm", "ask", 0)]
    public async Task Under_auto_the_judge_is_asked(string word, string permission, int calls)
    {
        await using var world = NewWorld(Toolset("auto"));
        world.Model.Calls("mcp__s__echo", """{"text":"x"}""").Says(word).Says("done");
        await world.Send("echo x");

        await world.Run(Token);

        var use = world.Events<AgentMcpToolUse>().Single();
        Assert.Equal((permission, "auto"), (use.EvaluatedPermission, use.Evaluation!.Type));
        Assert.Equal(calls, _host.Calls.Count);
        var asked = ((ModelText)world.Model.Requests.ElementAt(1).Messages.Single().Content.Single()).Text;
        Assert.Contains("""mcp__s__echo {"text":"x"}""", asked, StringComparison.Ordinal);
    }

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
    public async Task Calls_of_one_answer_run_together_and_are_read_in_their_order()
    {
        await using var world = NewWorld();
        var (came, go) = _host.Holds("first");
        _host.Tool("second", (_, _) =>
        {
            go.SetResult();
            return Task.FromResult(new CallToolResult { Content = [new TextContentBlock { Text = "second" }] });
        });
        world.Model.Answers(
            new ModelToolUse("a", "mcp__s__first", JsonElement.Parse("{}")),
            new ModelToolUse("b", "mcp__s__second", JsonElement.Parse("{}"))).Says("done");
        await world.Send("go");

        await world.Run(Token);

        await came.WaitAsync(Token);
        Assert.Equal(["first went on", "second"], world.Model.Requests.Last().Messages[^1].Content
            .Cast<ModelToolResult>().Select(result => ((TextBlock)result.Content.Single()).Text));
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
    public async Task A_long_result_is_kept_whole_in_the_sandbox_where_there_is_one()
    {
        await using var world = NewWorld(Toolset("always_allow"), new AgentToolset());
        _host.Gives("long",
            new TextContentBlock { Text = new string('a', 150_000) + "end" },
            ImageContentBlock.FromBytes(MediaSamples.Png, "image/png"));
        world.Model.Calls("mcp__s__long", "{}")
            .Calls("bash", """{"command":"cd /tmp/tool_results; wc -c < *.txt; tail -c 3 *.txt"}""", "call_2")
            .Says("done");
        await world.Send("go");

        await world.Run(Token);

        var content = world.Events<AgentMcpToolResult>().Single().Content!;
        var preview = Assert.IsType<TextBlock>(content[0]).Text;
        Assert.StartsWith("\n[150003 characters, of which the first 10000 are shown. The whole result is in "
            + "/tmp/tool_results/", preview[10_000..], StringComparison.Ordinal);
        Assert.IsType<ImageBlock>(content[1]);
        Assert.Equal("150003\nend",
            ((TextBlock)world.Events<AgentToolResult>().Single().Content![0]).Text.Trim());
    }

    [Fact]
    public async Task A_long_result_is_cut_where_there_is_no_sandbox()
    {
        await using var world = NewWorld();
        _host.Says("long", new string('a', 150_000));
        world.Model.Calls("mcp__s__long", "{}").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.EndsWith("a\n[150000 characters, of which the first 100000 are shown. The rest is left out.]",
            ((TextBlock)world.Events<AgentMcpToolResult>().Single().Content!.Single()).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_an_environment_of_the_clients_own_servers_are_still_called_from_here()
    {
        await using var world = NewWorld();
        world.IsSelfHosted = true;
        world.Crash();
        world.Model.Calls("mcp__s__echo", "{}").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Equal(["echo"], _host.Calls);
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

    [Fact]
    public async Task A_url_that_a_server_shows_is_not_one_that_may_be_fetched()
    {
        await using var pages = new PageHost();
        pages.Page("/", "text/plain", "page");
        await using var world = NewWorld(Toolset("always_allow"), new AgentToolset());
        _host.Says("links", pages.Url("/"));
        world.Model.Calls("mcp__s__links", "{}")
            .Calls("web_fetch", JsonSerializer.Serialize(new { url = pages.Url("/") }), "call_2").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.StartsWith("url_not_in_prior_context: ",
            ((TextBlock)world.Events<AgentToolResult>().Single().Content!.Single()).Text, StringComparison.Ordinal);
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
            .. Turn.Running(world.Agent, world.Log),
        ]);

    private static string ResultText(ModelRequest request) => string.Concat(request.Messages[^1].Content
        .OfType<ModelToolResult>().SelectMany(result => result.Content).OfType<TextBlock>().Select(text => text.Text));
}
