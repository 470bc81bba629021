using System.Net;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

public sealed class ErrorTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whatever_is_unknown_is_not_found()
    {
        var beta = lab.Client.Beta;
        await NotFound(() => beta.Agents.Retrieve("agent_unknown", cancellationToken: Cancellation));
        await NotFound(() => beta.Agents.Archive("agent_unknown", cancellationToken: Cancellation));
        await NotFound(() => beta.Environments.Retrieve("env_unknown", cancellationToken: Cancellation));
        await NotFound(() => beta.Environments.Delete("env_unknown", cancellationToken: Cancellation));
        await NotFound(() => beta.Sessions.Retrieve("sesn_unknown", cancellationToken: Cancellation));
        await NotFound(() => beta.Sessions.Delete("sesn_unknown", cancellationToken: Cancellation));
        await NotFound(() => beta.Sessions.Events.List("sesn_unknown", cancellationToken: Cancellation));
        await NotFound(() => new LabSession(lab.Client, "sesn_unknown").Send(Events.Message("hi")));
        await NotFound(() => new LabSession(lab.Client, "sesn_unknown").Open());
    }

    [Fact]
    public async Task A_wrong_key_is_an_authentication_error()
    {
        using var client = lab.Server.Client("wrong-key");

        var refused = await Assert.ThrowsAsync<AnthropicUnauthorizedException>(
            () => client.Beta.Agents.List(cancellationToken: Cancellation));

        Assert.Equal("authentication_error", refused.Type!.Raw());
        AssertCarriesRequestId(refused);
    }

    [Fact]
    public async Task A_bad_body_is_a_bad_request_that_names_the_field()
    {
        var refused = await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Agents.Create(
            new AgentCreateParams
            {
                Name = "bad",
                Model = BetaManagedAgentsModel.ClaudeSonnet5,
                Tools =
                [
                    new BetaManagedAgentsCustomToolParams
                    {
                        Name = "not a name",
                        Description = "Spaces are not allowed.",
                        InputSchema = new BetaManagedAgentsCustomToolInputSchema(),
                    },
                ],
            }, Cancellation));

        Assert.Equal("invalid_request_error", refused.Type!.Raw());
        Assert.StartsWith("tools.0.name: ", refused.ApiMessage, StringComparison.Ordinal);
        AssertCarriesRequestId(refused);
    }

    [Fact]
    public async Task A_session_of_an_archived_agent_is_refused()
    {
        var agent = await lab.Agent(lab.Model());
        await lab.Client.Beta.Agents.Archive(agent.ID, cancellationToken: Cancellation);

        var refused = await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = lab.EnvironmentId, Agent = agent.ID }, Cancellation));

        Assert.Contains(agent.ID, refused.ApiMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cursor_of_another_order_or_another_list_is_refused()
    {
        var agent = await lab.Agent(lab.Model());
        foreach (var _ in Enumerable.Range(0, 2))
        {
            await lab.Client.Beta.Sessions.Create(
                new SessionCreateParams { EnvironmentID = lab.EnvironmentId, Agent = agent.ID }, Cancellation);
        }

        var page = await lab.Client.Beta.Sessions.List(
            new SessionListParams { AgentID = agent.ID, Limit = 1 }, Cancellation);

        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Sessions.List(
            new SessionListParams { AgentID = agent.ID, Page = page.NextPage, Order = Order.Asc }, Cancellation));
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Agents.List(
            new AgentListParams { Page = page.NextPage }, Cancellation));
    }

    private static async Task NotFound(Func<Task> act)
    {
        var refused = await Assert.ThrowsAnyAsync<AnthropicNotFoundException>(act);
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        Assert.Equal("not_found_error", refused.Type!.Raw());
        AssertCarriesRequestId(refused);
    }

    private static void AssertCarriesRequestId(AnthropicApiException refused)
    {
        Assert.StartsWith("req_", refused.RequestID, StringComparison.Ordinal);
        Assert.Equal(refused.RequestID, refused.Body.GetProperty("request_id").GetString());
    }
}
