using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

public sealed class FallbackTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_model_whose_tries_are_used_up_is_followed_by_the_next_of_its_route()
    {
        await using var world = new TurnWorld { Limits = new Limits { ModelAttemptsMax = 1 } };
        world.Model.FallsBackTo = ["second", "third"];
        world.Model.Fails(ModelFaultKind.Overloaded).Fails(ModelFaultKind.Unauthorized).Says("from the third");
        await world.Send("hi");

        await world.Run(Token);

        Assert.Equal(["scripted", "second", "third"], world.Model.Requests.Select(request => request.Model));
        Assert.All(world.Events<SessionError>(), error => Assert.Equal("retrying", error.Error.RetryStatus.Type));
        Assert.Equal([ContentBlock.Of("from the third")], world.Events<AgentMessage>().Single().Content);
    }

    [Fact]
    public async Task When_the_last_fallback_fails_the_turn_is_exhausted_and_the_next_starts_with_the_first_model()
    {
        await using var world = new TurnWorld { Limits = new Limits { ModelAttemptsMax = 1 } };
        world.Model.FallsBackTo = ["second"];
        world.Model.Fails(ModelFaultKind.Overloaded).Fails(ModelFaultKind.Overloaded).Says("back");
        await world.Send("hi");
        await world.Run(Token);
        await world.Send("again");
        await world.Run(Token);

        Assert.Equal(["scripted", "second", "scripted"], world.Model.Requests.Select(request => request.Model));
        Assert.Equal(
            ["retrying", "exhausted"], world.Events<SessionError>().Select(error => error.Error.RetryStatus.Type));
    }

    [Fact]
    public async Task The_rest_of_a_turn_stays_with_the_fallback_also_for_a_new_owner()
    {
        await using var world = new TurnWorld { Limits = new Limits { ModelAttemptsMax = 1 } };
        world.Model.FallsBackTo = ["second"];
        world.Model.Fails(ModelFaultKind.Overloaded).SaysAndHangs("half");
        await world.Send("hi");
        using var server = new CancellationTokenSource();
        var run = world.Run(server.Token);
        await world.Model.Asked(Token);
        await world.Model.Asked(Token);
        await server.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);

        world.Crash();
        world.Model.Says("whole");
        await world.Run(Token);

        Assert.Equal("second", world.Model.Requests.Last().Model);
    }
}
