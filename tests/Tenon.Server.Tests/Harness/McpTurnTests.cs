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

/// <summary>Turns whose agent has MCP servers: what the log says, and what models see.</summary>
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
            .. Turn.Running(world.Log),
        ]);

    private static string ResultText(ModelRequest request) => string.Concat(request.Messages[^1].Content
        .OfType<ModelToolResult>().SelectMany(result => result.Content).OfType<TextBlock>().Select(text => text.Text));
}
