using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>A thread that goes in circles is told so once, then stopped.</summary>
public sealed class ProgressTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rounds_that_bring_nothing_new_are_told_once_and_then_end_the_turn()
    {
        await using var world = new TurnWorld { Limits = new Limits { StaleRoundsMax = 4 } };
        for (var i = 0; i < 6; i++)
        {
            world.Model.Calls("bash", """{"command":"echo same"}""", $"call_{i}");
        }

        await world.Send("go");
        await world.Run(Token);

        Assert.Equal(5, world.Model.Requests.Count);
        Assert.Equal(1, Notes(world.Model.Requests.Last()));
        Assert.Equal(0, Notes(world.Model.Requests.ElementAt(2)));
        Assert.Equal(1, Notes(world.Model.Requests.ElementAt(3)));
        var error = world.Events<SessionError>().Single().Error;
        Assert.Equal("tool_use_limit_reached_error", error.Type);
        Assert.StartsWith("The agent went in circles: 4 rounds", error.Message, StringComparison.Ordinal);
        Assert.Equal("retries_exhausted", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task What_is_new_counts_from_the_start_and_a_message_forgives()
    {
        await using var world = new TurnWorld { Limits = new Limits { StaleRoundsMax = 2 } };
        world.Model.Calls("bash", """{"command":"echo a"}""").Calls("bash", """{"command":"echo b"}""")
            .Calls("bash", """{"command":"echo a"}""").Calls("bash", """{"command":"echo c"}""").Says("done");
        await world.Send("go");
        await world.Run(Token);
        Assert.Empty(world.Events<SessionError>());

        world.Model.Calls("bash", """{"command":"echo c"}""").Says("again");
        await world.Send("once more");
        await world.Run(Token);

        Assert.Empty(world.Events<SessionError>());
    }

    [Fact]
    public void An_agent_has_bounds_of_its_own_by_its_metadata()
    {
        var own = AgentLimits.Of(new Dictionary<string, string>
        {
            ["tenon.tool_rounds_max"] = "7", ["tenon.stale_rounds_max"] = "3", ["other"] = "1",
        });

        Assert.Equal((7, 3), (new Limits().For(own).ToolRoundsMax, new Limits().For(own).StaleRoundsMax));
        Assert.Equal(5_000, new Limits().For(new AgentLimits { ToolRoundsMax = 9_999 }).ToolRoundsMax);
        Assert.Null(AgentLimits.Of(new Dictionary<string, string> { ["tenon.tool_rounds_max"] = "many" }));
    }

    private static int Notes(ModelRequest request) => request.Messages.SelectMany(message => message.Content)
        .OfType<ModelText>().Count(text => text.Text.StartsWith("[You are repeating calls", StringComparison.Ordinal));
}
