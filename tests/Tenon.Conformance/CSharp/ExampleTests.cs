using Anthropic.Helpers;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>
/// The calls of the SDK's own example programs, in their order: they send the message first and open the stream after.
/// </summary>
public sealed class ExampleTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_example_of_a_session_ends_when_it_is_idle()
    {
        var session = await Start("A friendly word.");
        var seen = new List<string>();

        await foreach (var @event in lab.Client.Beta.Sessions.Events.StreamStreaming(
            session, cancellationToken: Cancellation))
        {
            seen.Add(@event.Json.Type());
            if (@event.TryPickSessionStatusIdleEvent(out _))
            {
                break;
            }
        }

        Assert.Equal(("user.message", "session.status_idle"), (seen[0], seen[^1]));
        Assert.Contains("agent.message", seen);
    }

    [Fact]
    public async Task The_example_of_streaming_deltas_ends_with_the_whole_text()
    {
        var session = await Start("Waves ", "come ", "and go");
        var aggregator = new BetaManagedAgentsEventAggregator();
        var parameters = new EventStreamParams { EventDeltas = [BetaManagedAgentsDeltaType.AgentMessage] };
        var final = "";

        var stream = lab.Client.Beta.Sessions.Events.StreamStreaming(session, parameters, Cancellation);
        await foreach (var @event in stream.CollectAsync(aggregator))
        {
            if (@event.TryPickAgentMessageEvent(out var message))
            {
                final = aggregator.GetAgentMessageText(message!.ID);
            }
            else if (@event.TryPickSessionStatusIdleEvent(out _) || @event.TryPickSessionErrorEvent(out _))
            {
                break;
            }
        }

        Assert.Equal("Waves come and go", final);
    }

    /// <summary>A session of a new agent in a new environment, with a message that is already sent.</summary>
    private async Task<string> Start(params string[] answer)
    {
        var beta = lab.Client.Beta;
        var environment = await beta.Environments.Create(
            new EnvironmentCreateParams { Name = "example" }, Cancellation);
        var model = new BetaManagedAgentsModelConfigParams { ID = lab.Model(Reply.Text(answer)).Name };
        var agent = await beta.Agents.Create(new AgentCreateParams { Name = "example", Model = model }, Cancellation);
        var session = await beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = environment.ID, Agent = agent.ID }, Cancellation);
        await beta.Sessions.Events.Send(
            session.ID, new EventSendParams { Events = [Events.Message("Say something.")] }, Cancellation);
        return session.ID;
    }
}
