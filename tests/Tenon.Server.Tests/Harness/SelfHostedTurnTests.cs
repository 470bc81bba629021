using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>A turn whose sandbox tools the client runs: what the log says of it, and that no sandbox starts.</summary>
public sealed class SelfHostedTurnTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_sandbox_is_started_for_any_call()
    {
        await using var world = NewWorld();
        world.Model.Calls("bash", """{"command":"true"}""").Calls("web_fetch", "{}", "call_2").Says("done");
        await world.Send("go");
        await world.Run(Token);

        await Answer(world, "ran elsewhere");
        await world.Run(Token);

        Assert.Equal("end_turn", world.Events<SessionStatusIdle>()[^1].StopReason.Type);
        Assert.DoesNotContain(world.Entries, entry => entry.Type == LogTypes.SandboxOpened);
    }

    [Fact]
    public async Task A_new_owner_waits_for_what_the_last_one_waited_for()
    {
        await using var world = NewWorld();
        world.Model.Calls("bash", """{"command":"true"}""");
        await world.Send("go");
        await world.Run(Token);

        world.Crash();

        Assert.False(Turn.IsDue(world.Log.History));
        Assert.Equal("user.tool_result", world.Log.History.Round.Single().Awaits);
    }

    [Fact]
    public async Task A_crash_before_the_session_is_idle_runs_nothing_here()
    {
        await using var whole = NewWorld();
        whole.Model.Calls("bash", """{"command":"true"}""");
        await whole.Send("go");
        await whole.Run(Token);
        var cut = whole.Entries.TakeWhile(entry => entry.Type != "session.thread_status_idle");

        await using var world = NewWorld();
        await world.Copy(cut);
        await world.Run(Token);

        var idle = world.Events<SessionStatusIdle>().Single();
        Assert.Equal([world.Events<AgentToolUse>().Single().Id!], idle.StopReason.EventIds);
        Assert.DoesNotContain(world.Entries, entry => entry.Type == LogTypes.SandboxOpened);
    }

    [Fact]
    public async Task A_session_at_its_budget_takes_the_result_and_pauses()
    {
        await using var world = NewWorld();
        world.Budget = new Budget { Type = "limit", MaxListCost = Money.Usd("1") };
        world.Crash();
        world.Model.Answers(new ModelResponse
        {
            Stop = ModelStop.ToolUse,
            Content = [new ModelToolUse("call_1", "bash", JsonElement.Parse("{}"))],
            Usage = new ModelUsage { OutputTokens = 10_000 },
        });
        await world.Send("go");
        await world.Run(Token);

        await Answer(world, "ran");
        await world.Run(Token);

        Assert.Equal(
            ["requires_action", "budget_reached"],
            world.Events<SessionStatusIdle>().Select(idle => idle.StopReason.Type));
        Assert.Single(world.Model.Requests);
    }

    private static TurnWorld NewWorld()
    {
        var world = new TurnWorld { IsSelfHosted = true };
        world.Agent = world.Agent with { Model = new ModelConfig { Id = "claude-opus-5" } };
        world.Crash();
        return world;
    }

    /// <summary>Appends the result of the one call that waits, as the session's owner does.</summary>
    private static Task Answer(TurnWorld world, string text)
    {
        var call = world.Log.History.Round.Single();
        var result = new UserToolResult { ToolUseId = call.Id, Content = [ContentBlock.Of(text)] };
        return world.Log.Append([world.Log.Stamp(result), .. Turn.Running(world.Log)]);
    }
}
