using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Models;
using Tenon.Server.Sessions;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>What a turn costs, and how it stands still at its budget (api G, H).</summary>
public sealed class BudgetTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static ModelToolUse Ask => new("call_1", "ask", JsonElement.Parse("{}"));

    [Theory]
    [InlineData(50_000, 0, 0.705, "71")]
    [InlineData(10_000, 40_000, 0.525, "53")]
    public async Task An_hour_with_the_documented_tokens_costs_what_is_documented(
        long input, long cacheRead, decimal usd, string cents)
    {
        await using var world = NewWorld(null);
        world.Model.Answers(new ModelResponse
        {
            Stop = ModelStop.EndTurn,
            Content = [new ModelText("done")],
            Usage = new ModelUsage { InputTokens = input, OutputTokens = 15_000, CacheReadTokens = cacheRead },
        });
        await world.Send("go");
        world.Clock.Advance(TimeSpan.FromHours(1));

        await world.Run(Token);

        var usage = world.Events<SessionUsageEvent>().Single().Usage;
        Assert.Equal(usd, world.Log.Session.CostUsd);
        Assert.Equal((Money.Usd(cents), 3_600m), (usage.ListCost, usage.ActiveSeconds));
        Assert.Equal((input, 15_000, cacheRead), (usage.InputTokens, usage.OutputTokens, usage.CacheReadInputTokens));
    }

    [Fact]
    public async Task Active_seconds_are_exact_to_the_millisecond_and_stand_still_while_idle()
    {
        await using var world = NewWorld(null);
        world.Model.Says("one").Says("two");
        await world.Send("go");
        world.Clock.Advance(TimeSpan.FromMicroseconds(1_234_567));
        await world.Run(Token);
        world.Clock.Advance(TimeSpan.FromHours(5));
        await world.Send("more");
        world.Clock.Advance(TimeSpan.FromMilliseconds(2));

        await world.Run(Token);

        Assert.Equal([1.234m, 1.236m], world.Events<SessionUsageEvent>().Select(e => e.Usage.ActiveSeconds));
    }

    [Fact]
    public async Task Waiting_for_another_try_is_no_running_time()
    {
        await using var world = NewWorld(null);
        world.Model.Fails(ModelFaultKind.RateLimited, TimeSpan.FromMinutes(4)).Says("hello");
        await world.Send("hi");

        await world.Pass(world.Run(Token));

        var running = world.Events<SessionStatusRunning>();
        var waits = running[1].ProcessedAt - world.Events<SessionStatusRescheduled>().Single().ProcessedAt;
        var whole = world.Events<SessionStatusIdle>().Single().ProcessedAt - running[0].ProcessedAt;
        Assert.True(waits >= TimeSpan.FromMinutes(4), $"It waited {waits}.");
        Assert.Equal((decimal)(whole - waits)!.Value.TotalSeconds, world.Log.Session.Usage.ActiveSeconds);
    }

    [Fact]
    public async Task At_the_budget_the_next_request_is_not_made_and_the_session_says_so_in_order()
    {
        await using var world = NewWorld("25");
        world.Model.Answers(Costs(10_000, Ask)).Says("never asked");
        await world.Send("go");
        await world.Run(Token);
        var before = world.Types.Count;

        await world.Answer("yes");
        await world.Run(Token);

        Assert.Equal(
            [
                "user.custom_tool_result", "session.status_running", "session.thread_status_running",
                "session.thread_status_idle", "session.usage", "session.status_idle",
            ],
            world.Types.Skip(before));
        Assert.Equal("budget_reached", world.Events<ThreadStatusIdle>()[^1].StopReason.Type);
        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>()[^1].StopReason.Type);
        Assert.Equal(
            (Limit("25"), Money.Usd("25")),
            (world.Events<SessionUsageEvent>()[^1].Budget, world.Events<SessionUsageEvent>()[^1].Usage.ListCost));
        Assert.Single(world.Model.Requests);
    }

    [Fact]
    public async Task A_call_that_waits_for_the_client_comes_before_the_budget()
    {
        await using var world = NewWorld("25");
        world.Model.Answers(Costs(10_000, Ask));
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("requires_action", world.Events<ThreadStatusIdle>().Single().StopReason.Type);
        Assert.Equal("requires_action", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_cost_that_only_rounds_up_to_the_budget_has_not_reached_it()
    {
        await using var world = NewWorld("25");
        world.Model.Answers(Costs(9_999, Ask)).Says("done");
        await world.Send("go");
        await world.Run(Token);
        await world.Answer("yes");
        await world.Run(Token);

        Assert.Equal("25", world.Events<SessionUsageEvent>()[0].Usage.ListCost.Amount);
        Assert.Equal(2, world.Model.Requests.Count);
    }

    [Fact]
    public async Task An_answer_that_ends_its_turn_at_the_budget_ends_the_thread_and_pauses_the_session()
    {
        await using var world = NewWorld("25");
        world.Model.Answers(Costs(10_000, new ModelText("done")));
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("end_turn", world.Events<ThreadStatusIdle>().Single().StopReason.Type);
        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        Assert.False(Turn.HasPausedWork(world.Log.History));
    }

    [Fact]
    public async Task Running_time_alone_reaches_a_budget()
    {
        await using var world = NewWorld("8");
        await world.Send("go");
        world.Clock.Advance(TimeSpan.FromHours(1));

        await world.Run(Token);

        Assert.Empty(world.Model.Requests);
        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Theory]
    [InlineData("26")]
    [InlineData(null)]
    public async Task A_new_owner_of_a_paused_session_goes_on_once_the_budget_is_raised_or_removed(string? cents)
    {
        await using var world = NewWorld("25");
        world.Model.Answers(Costs(10_000, Ask)).Says("done");
        await world.Send("go");
        await world.Run(Token);
        await world.Answer("yes");
        await world.Run(Token);

        world.Crash();
        Assert.True(Turn.IsPaused(world.Log.Session));
        Assert.False(Turn.IsDue(world.Log.History));
        Assert.True(Turn.HasPausedWork(world.Log.History));
        await world.Log.Append(
        [
            new SessionUpdated { Budget = new Patch<Budget>(cents is null ? null : Limit(cents)) },
            .. Turn.Running(world.Log),
        ]);
        world.Crash();
        await world.Run(Token);

        Assert.Equal(cents is null ? null : Limit(cents), world.Log.Session.History.Budget);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>()[^1].StopReason.Type);
        var read = Assert.IsType<ModelToolResult>(world.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.Equal([ContentBlock.Of("yes")], read.Content);
    }

    [Fact]
    public async Task A_message_that_waits_when_the_budget_is_reached_is_answered_after_it_is_raised()
    {
        await using var world = NewWorld("25");
        world.Model.Answers(Costs(10_000, new ModelText("first"))).Says("second");
        await world.Send("one");
        await world.Log.Append(new Waiting(new UserMessage { Content = [ContentBlock.Of("two")] }));
        await world.Run(Token);

        Assert.Equal("budget_reached", world.Events<ThreadStatusIdle>().Single().StopReason.Type);
        Assert.True(Turn.HasPausedWork(world.Log.History));
        await world.Log.Append(
        [
            new SessionUpdated { Budget = new Patch<Budget>(Limit("100")) }, .. Turn.Running(world.Log),
        ]);
        await world.Run(Token);

        Assert.Equal(2, world.Events<AgentMessage>().Count);
        Assert.Equal([new ModelText("two")], world.Model.Requests.Last().Messages[^1].Content);
    }

    [Fact]
    public async Task A_model_without_a_price_pauses_a_session_whose_budget_cannot_measure_it()
    {
        await using var world = NewWorld("1000000");
        world.Agent = world.Agent with { Model = new ModelConfig { Id = "own-model" } };
        world.Model.Says("one");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("budget_reached", world.Events<SessionStatusIdle>().Single().StopReason.Type);
        world.Crash();
        Assert.True(world.Log.IsAtBudget);
        var refusal = Assert.Throws<ApiException>(
            () => BudgetRules.Change(new Patch<Budget>(Limit("2000000")), world.Log.Session));
        Assert.StartsWith("budget: model_not_budgetable: ", refusal.Message, StringComparison.Ordinal);
        Assert.Null(BudgetRules.Change(new Patch<Budget>(null), world.Log.Session));
    }

    [Fact]
    public void A_search_that_was_made_is_counted_and_one_that_failed_is_not()
    {
        var session = new SessionHistory();
        var history = new History("t", session);
        var uses = new List<ModelContent>
        {
            new ModelToolUse("a", "web_search", default), new ModelToolUse("b", "web_search", default),
        };
        var answer = new ModelAnswer
        {
            Model = "m", Content = uses, CallIds = ["sevt_a", "sevt_b"], Usage = new ModelUsage(), CostUsd = 0.5m,
        };
        foreach (var content in new object[]
        {
            answer,
            new AgentToolResult { ToolUseId = "sevt_a", Content = [ContentBlock.Of("found")] },
            new AgentToolResult { ToolUseId = "sevt_b", Content = [ContentBlock.Of("down")], IsError = true },
        })
        {
            var entry = new LogEntry(history.Seq + 1, "t", "id", "type", 0, "", false);
            session.Apply(entry, content);
            history.Apply(entry, content);
        }

        Assert.Equal(0.51m, history.Usage.CostUsd(0, Server.Billing.Prices.Default));
        Assert.Equal(1, history.Usage.At(0, Server.Billing.Prices.Default).ServerToolUse.WebSearchRequests);
    }

    private static Budget Limit(string cents) => new() { Type = "limit", MaxListCost = Money.Usd(cents) };

    /// <summary>An answer that costs 25 US dollars a million of these tokens.</summary>
    private static ModelResponse Costs(long output, ModelContent content) => new()
    {
        Stop = content is ModelToolUse ? ModelStop.ToolUse : ModelStop.EndTurn,
        Content = [content],
        Usage = new ModelUsage { OutputTokens = output },
    };

    private static TurnWorld NewWorld(string? cents)
    {
        var world = new TurnWorld(new CustomTool
        {
            Name = "ask", Description = "d", InputSchema = JsonElement.Parse("""{"type":"object"}"""),
        })
        {
            Budget = cents is null ? null : Limit(cents),
        };
        world.Agent = world.Agent with { Model = new ModelConfig { Id = "claude-opus-5" } };
        world.Crash();
        return world;
    }
}
