using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Resources;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>A repository as a session's resource. The agent has no tools, so that nothing is cloned here.</summary>
public sealed class RepositoryTests(Lab lab)
{
    private const string Url = "https://github.com/example/project";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_repository_is_attached_shown_without_its_token_and_given_another_one()
    {
        var beta = lab.Client.Beta;
        var environment = await beta.Environments.Create(
            new EnvironmentCreateParams { Name = "repositories" }, Cancellation);
        var agent = await beta.Agents.Create(
            new AgentCreateParams
            {
                Name = "repositories", Model = new BetaManagedAgentsModelConfigParams { ID = lab.Model().Name },
            },
            Cancellation);
        var session = await beta.Sessions.Create(
            new SessionCreateParams
            {
                EnvironmentID = environment.ID,
                Agent = agent.ID,
                Resources = [new BetaManagedAgentsGitHubRepositoryResourceParams
                {
                    Url = Url, AuthorizationToken = "token-of-the-first-day",
                }],
            },
            Cancellation);
        Assert.True(session.Resources.Single().TryPickGitHubRepository(out var attached));
        Assert.Equal((Url, "/workspace/project"), (attached.Url, attached.MountPath));

        var resources = beta.Sessions.Resources;
        var updated = await resources.Update(
            attached.ID,
            new ResourceUpdateParams { SessionID = session.ID, AuthorizationToken = "token-of-the-second-day" },
            Cancellation);
        Assert.DoesNotContain("token-of", updated.ToString(), StringComparison.Ordinal);
        await resources.Retrieve(attached.ID, new ResourceRetrieveParams { SessionID = session.ID }, Cancellation);
        Assert.Single((await resources.List(session.ID, cancellationToken: Cancellation)).Items);
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => resources.Delete(
            attached.ID, new ResourceDeleteParams { SessionID = session.ID }, Cancellation));
    }
}
