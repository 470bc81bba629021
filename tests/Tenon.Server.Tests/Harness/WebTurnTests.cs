using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Server.Web.Search;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>Turns whose agent looks at the web: what the log says, what is counted, and what a crash leaves.</summary>
public sealed class WebTurnTests : IAsyncDisposable
{
    private static readonly AgentToolset OnlyWeb = new()
    {
        DefaultConfig = new ToolDefaults { Enabled = false },
        Configs =
        [
            new ToolConfig { Name = "web_fetch", Enabled = true },
            new ToolConfig { Name = "web_search", Enabled = true },
        ],
    };

    private readonly PageHost _host = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_session_with_only_web_tools_has_no_sandbox()
    {
        await using var world = NewWorld();
        _host.Page("/", "text/plain", "the page");
        world.Model.Calls("web_fetch", Url("/")).Calls("web_search", """{"query":"x"}""", "call_2").Says("done");
        await world.Send($"read {_host.Url("/")}");

        await world.Run(Token);

        var results = world.Events<AgentToolResult>();
        Assert.Equal("the page", Assert.IsType<DocumentBlock>(results[0].Content!.Single()).Source.Data);
        Assert.Equal("https://a.com/1", Assert.IsType<SearchResultBlock>(results[1].Content!.Single()).Source);
        Assert.Equal([false, false], results.Select(result => result.IsError == true));
        Assert.DoesNotContain(world.Entries, entry => entry.Type == LogTypes.SandboxOpened);
        Assert.DoesNotContain("/workspace", world.Model.Requests.First().System, StringComparison.Ordinal);
        Assert.Equal(["web_fetch", "web_search"], world.Model.Requests.First().Tools.Select(tool => tool.Name));
    }

    [Fact]
    public async Task Without_a_back_end_models_are_not_offered_searches()
    {
        await using var world = new TurnWorld(OnlyWeb);
        world.Model.Calls("web_search", """{"query":"x"}""").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal(["web_fetch"], world.Model.Requests.First().Tools.Select(tool => tool.Name));
        Assert.Contains("search.backend", ErrorOf(world, 0), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_url_that_nobody_has_shown_is_not_fetched_and_one_that_a_result_has_shown_is()
    {
        await using var world = NewWorld();
        _host.Page("/start", "text/html", "<p>Go <a href='/next'>on</a>.</p>").Page("/next", "text/plain", "next");
        world.Model.Calls("web_fetch", Url("/next")).Calls("web_fetch", Url("/start"), "call_2")
            .Calls("web_fetch", Url("/next"), "call_3").Calls("web_fetch", Url("/next?leak=1"), "call_4").Says("done");
        await world.Send($"read {_host.Url("/start")}");

        await world.Run(Token);

        Assert.Equal(
            [true, false, false, true], world.Events<AgentToolResult>().Select(result => result.IsError == true));
        Assert.StartsWith("url_not_in_prior_context: ", ErrorOf(world, 0), StringComparison.Ordinal);
        Assert.Equal(["/start", "/next"], _host.Requests.Select(request => request.Target));
    }

    [Fact]
    public async Task What_the_sandbox_prints_shows_no_url()
    {
        await using var world = new TurnWorld();
        world.Model.Calls("bash", JsonSerializer.Serialize(new { command = $"echo {_host.Url("/")}" }))
            .Calls("web_fetch", Url("/"), "call_2").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.StartsWith("url_not_in_prior_context: ", ErrorOf(world, 1), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_clients_tool_answers_and_what_the_agents_author_wrote_shows_urls()
    {
        await using var world = new TurnWorld(OnlyWeb, new CustomTool
        {
            Name = "ask", Description = "d", InputSchema = JsonElement.Parse("""{"type":"object"}"""),
        });
        world.Agent = world.Agent with { System = $"The manual is {_host.Url("/manual")}." };
        _host.Page("/manual", "text/plain", "m").Page("/given", "text/plain", "g");
        world.Model.Calls("ask", "{}").Calls("web_fetch", Url("/manual"), "call_2")
            .Calls("web_fetch", Url("/given"), "call_3").Says("done");
        await world.Send("go");
        await world.Run(Token);
        await world.Answer($"see {_host.Url("/given")}");
        await world.Run(Token);

        Assert.Equal([false, false], world.Events<AgentToolResult>().Select(result => result.IsError == true));
    }

    [Fact]
    public async Task A_compaction_takes_no_url_away()
    {
        await using var world = NewWorld();
        await world.Send($"read {_host.Url("/")}");
        await world.Log.Append(new Compacted
        {
            Summary = "s", Kept = 0, Usage = new ModelUsage(), CostUsd = 0,
        });
        _host.Page("/", "text/plain", "here");
        world.Model.Calls("web_fetch", Url("/")).Says("done");

        world.Crash();
        await world.Run(Token);

        Assert.NotEqual(true, world.Events<AgentToolResult>().Single().IsError);
    }

    [Fact]
    public async Task Searches_are_counted_and_priced_and_those_that_failed_are_not()
    {
        await using var world = NewWorld();
        world.Model.Answers(
            new ModelToolUse("a", "web_search", JsonElement.Parse("""{"query":"one"}""")),
            new ModelToolUse("b", "web_search", JsonElement.Parse("""{"query":"two"}""")),
            new ModelToolUse("c", "web_search", JsonElement.Parse("{}"))).Says("done");
        await world.Send("go");

        await world.Run(Token);

        var usage = world.Events<SessionUsageEvent>().Single().Usage;
        Assert.Equal((2, 0), (usage.ServerToolUse!.WebSearchRequests, usage.ServerToolUse.WebFetchRequests));
        Assert.Equal(0.02m, world.Log.Session.CostUsd);
    }

    [Fact]
    public async Task Searches_reach_a_budget()
    {
        await using var world = NewWorld();
        world.Budget = new Budget { Type = "limit", MaxListCost = Money.Usd("1") };
        world.Agent = world.Agent with { Model = new ModelConfig { Id = "claude-opus-5" } };
        world.Crash();
        world.Model.Answers(new ModelResponse
        {
            Stop = ModelStop.ToolUse,
            Content = [new ModelToolUse("a", "web_search", JsonElement.Parse("""{"query":"one"}"""))],
            Usage = new ModelUsage(),
        }).Says("never asked");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Single(world.Model.Requests);
    }

    [Fact]
    public async Task Fetches_of_one_answer_run_together()
    {
        await using var world = NewWorld();
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _host.Page("/1", async http =>
        {
            await second.Task.WaitAsync(http.RequestAborted);
            await http.Response.WriteAsync("one");
        });
        _host.Page("/2", http =>
        {
            second.SetResult();
            return http.Response.WriteAsync("two");
        });
        world.Model.Answers(
            new ModelToolUse("a", "web_fetch", JsonElement.Parse(Url("/1"))),
            new ModelToolUse("b", "web_fetch", JsonElement.Parse(Url("/2")))).Says("done");
        await world.Send($"{_host.Url("/1")} {_host.Url("/2")}");

        await world.Run(Token);

        var read = world.Model.Requests.Last().Messages[^1].Content.Cast<ModelToolResult>();
        Assert.Equal(["one", "two"], read.Select(
            result => Assert.IsType<DocumentBlock>(result.Content.Single()).Source.Data!));
    }

    [Fact]
    public async Task An_interrupt_leaves_the_host_at_once()
    {
        await using var world = NewWorld();
        var (came, left) = _host.Hang("/");
        world.Model.Calls("web_fetch", Url("/"));
        await world.Send($"read {_host.Url("/")}");
        var run = world.Run(Token);
        await came.WaitAsync(Token);

        await world.Interrupt();
        await run;

        await left.WaitAsync(Token);
        Assert.Equal(
            "Tool execution was interrupted before completion. Please retry.", ErrorOf(world, 0));
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_fetch_that_a_crash_cut_short_runs_again()
    {
        await using var world = NewWorld();
        var (came, left) = _host.Hang("/");
        world.Model.Calls("web_fetch", Url("/")).Says("done");
        await world.Send($"read {_host.Url("/")}");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var run = world.Run(stop.Token);
        await came.WaitAsync(Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await left.WaitAsync(Token);

        _host.Page("/", "text/plain", "now it answers");
        world.Crash();
        await world.Run(Token);

        var result = world.Events<AgentToolResult>().Single();
        Assert.Equal("now it answers", Assert.IsType<DocumentBlock>(result.Content!.Single()).Source.Data);
        Assert.Equal(2, _host.Requests.Count);
    }

    [Fact]
    public async Task A_search_that_asks_waits_for_the_client()
    {
        await using var world = NewWorld(new AgentToolset
        {
            DefaultConfig = new ToolDefaults
            {
                PermissionPolicy = new PermissionPolicy { Type = PermissionPolicy.AlwaysAsk },
            },
        });
        world.Model.Calls("web_search", """{"query":"x"}""").Says("done");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("ask", world.Events<AgentToolUse>().Single().EvaluatedPermission);
        Assert.Equal("requires_action", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.Empty(world.Events<AgentToolResult>());
    }

    [Fact]
    public async Task A_long_page_is_kept_whole_in_the_sandbox_where_there_is_one()
    {
        await using var world = new TurnWorld();
        _host.Page("/", "text/plain", new string('a', 150_000) + "end");
        world.Model.Calls("web_fetch", Url("/"))
            .Calls("bash", """{"command":"cd /tmp/tool_results; wc -c < *.txt; tail -c 3 *.txt"}""", "call_2")
            .Says("done");
        await world.Send($"read {_host.Url("/")}");

        await world.Run(Token);

        var results = world.Events<AgentToolResult>();
        var document = Assert.IsType<DocumentBlock>(results[0].Content!.Single());
        Assert.Equal(10_000, document.Source.Data!.IndexOf('\n', StringComparison.Ordinal));
        Assert.StartsWith(
            "\n[150003 characters, of which the first 10000 are shown. "
            + "The whole result is in /tmp/tool_results/", document.Source.Data[10_000..], StringComparison.Ordinal);
        Assert.Contains("Fetched from ", document.Context!, StringComparison.Ordinal);
        Assert.Equal("150003\nend", ((TextBlock)results[1].Content![0]).Text.Trim());
        Assert.Single(world.Entries, entry => entry.Type == LogTypes.SandboxOpened);
    }

    [Fact]
    public async Task A_long_page_is_cut_where_there_is_no_sandbox()
    {
        await using var world = NewWorld();
        _host.Page("/", "text/plain", new string('a', 150_000));
        world.Model.Calls("web_fetch", Url("/")).Says("done");
        await world.Send($"read {_host.Url("/")}");

        await world.Run(Token);

        var document = Assert.IsType<DocumentBlock>(world.Events<AgentToolResult>().Single().Content!.Single());
        Assert.EndsWith(
            "a\n[150000 characters, of which the first 100000 are shown. The rest is left out.]", document.Source.Data,
            StringComparison.Ordinal);
        Assert.DoesNotContain(world.Entries, entry => entry.Type == LogTypes.SandboxOpened);
    }

    [Fact]
    public async Task In_an_environment_of_the_clients_own_the_web_is_still_looked_at_here()
    {
        await using var world = new TurnWorld();
        world.IsSelfHosted = true;
        world.Crash();
        _host.Page("/", "text/plain", "here");
        world.Model.Calls("web_fetch", Url("/")).Says("done");
        await world.Send($"read {_host.Url("/")}");

        await world.Run(Token);

        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.NotEqual(true, world.Events<AgentToolResult>().Single().IsError);
    }

    private static TurnWorld NewWorld(AgentToolset? tools = null) =>
        new(tools ?? OnlyWeb) { Web = new WebLab(backend: _ => new OnePage()) };

    private static string ErrorOf(TurnWorld world, int index)
    {
        var result = world.Events<AgentToolResult>()[index];
        Assert.True(result.IsError);
        return Assert.IsType<TextBlock>(result.Content!.Single()).Text;
    }

    private string Url(string path) => JsonSerializer.Serialize(new { url = _host.Url(path) });

    private sealed class OnePage : ISearchBackend
    {
        public string Name => "one";

        public Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<SearchHit>>([new SearchHit("One", "https://a.com/1", ["passage"], null)]);
    }
}
