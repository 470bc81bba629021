using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Anthropic.Models.Beta.Sessions.Threads;
using Anthropic.Services.Beta;
using Anthropic.Services.Beta.Sessions;
using Tenon.Conformance.Support;
using ThreadEventList = Anthropic.Models.Beta.Sessions.Threads.Events.EventListParams;
using ThreadEventStream = Anthropic.Models.Beta.Sessions.Threads.Events.EventStreamParams;

namespace Tenon.Conformance.CSharp;

/// <summary>Every operation of agents, environments, sessions, events and threads, through the SDK.</summary>
public sealed class OperationTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_SDK_reaches_every_operation_that_works()
    {
        using var recorder = new RequestCounter();
        using var client = lab.Server.Client();
        var beta = client.WithOptions(options => options with { HttpClient = recorder.Http }).Beta;

        var environment = await beta.Environments.Create(new EnvironmentCreateParams { Name = "all" }, Cancellation);
        await beta.Environments.Retrieve(environment.ID, cancellationToken: Cancellation);
        await beta.Environments.Update(
            environment.ID, new EnvironmentUpdateParams { Description = "every operation" }, Cancellation);
        await beta.Environments.List(cancellationToken: Cancellation);
        var agent = await NewAgent(beta.Agents);
        await UseSession(beta.Sessions, environment.ID, agent);
        await beta.Agents.Archive(agent.ID, cancellationToken: Cancellation);
        await beta.Environments.Archive(environment.ID, cancellationToken: Cancellation);
        await beta.Environments.Delete(environment.ID, cancellationToken: Cancellation);

        Assert.Equal(Operations.OfSessions, Operations.Used(recorder.Sent));
    }

    private async Task<BetaManagedAgentsAgent> NewAgent(IAgentService agents)
    {
        var model = new BetaManagedAgentsModelConfigParams { ID = lab.Model().Name };
        var agent = await agents.Create(new AgentCreateParams { Name = "all", Model = model }, Cancellation);
        await agents.Update(agent.ID, new AgentUpdateParams { Version = 1, Name = "all of them" }, Cancellation);
        await agents.List(cancellationToken: Cancellation);
        await agents.Versions.List(agent.ID, cancellationToken: Cancellation);
        return await agents.Retrieve(agent.ID, new AgentRetrieveParams { Version = 2 }, Cancellation);
    }

    private static async Task UseSession(
        ISessionService sessions, string environmentId, BetaManagedAgentsAgent agent)
    {
        var session = await sessions.Create(
            new SessionCreateParams { EnvironmentID = environmentId, Agent = agent.ID }, Cancellation);
        await sessions.Retrieve(session.ID, cancellationToken: Cancellation);
        await sessions.Update(session.ID, new SessionUpdateParams { Title = "all" }, Cancellation);
        await sessions.List(new SessionListParams { AgentID = agent.ID }, Cancellation);
        using (await sessions.Events.WithRawResponse.StreamStreaming(session.ID, cancellationToken: Cancellation))
        {
            await sessions.Events.Send(
                session.ID, new EventSendParams { Events = [Support.Events.Interrupt()] }, Cancellation);
        }

        await sessions.Events.List(session.ID, cancellationToken: Cancellation);
        await UseThread(sessions.Threads, session.ID);
        await sessions.Archive(session.ID, cancellationToken: Cancellation);
        await sessions.Delete(session.ID, cancellationToken: Cancellation);
    }

    private static async Task UseThread(IThreadService threads, string sessionId)
    {
        var thread = (await threads.List(sessionId, new ThreadListParams { Limit = 10 }, Cancellation)).Items.Single();
        await threads.Retrieve(thread.ID, new ThreadRetrieveParams { SessionID = sessionId }, Cancellation);
        await threads.Events.List(thread.ID, new ThreadEventList { SessionID = sessionId }, Cancellation);
        using (await threads.Events.WithRawResponse.StreamStreaming(
            thread.ID, new ThreadEventStream { SessionID = sessionId }, Cancellation))
        {
            // That it opens is what is tested here.
        }

        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => threads.Archive(
            thread.ID, new ThreadArchiveParams { SessionID = sessionId }, Cancellation));
    }
}
