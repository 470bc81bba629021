using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Sandbox tools that the client runs itself.</summary>
public sealed class SelfHostedTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_client_answers_a_sandbox_tool_and_the_agent_goes_on()
    {
        var model = lab.Model(Reply.ToolUse("bash", new { command = "hostname" }), Reply.Text("It is box-1."));
        var session = await Session(model, new BetaManagedAgentsAgentToolset20260401Params());

        var asked = await session.Turn(Events.Message("Where are you?"));
        var use = asked.The("agent.tool_use");
        var answered = await session.Turn(
            Events.SandboxResult(use.Id()!, "box-1"), Events.Instruction("Answer in one sentence."));

        Assert.Equal("requires_action", asked[^1].StopReason());
        Assert.DoesNotContain("agent.tool_result", answered.Types());
        Assert.Equal("It is box-1.", answered.The("agent.message").Text());
        Assert.Equal("end_turn", answered[^1].StopReason());
        Assert.Contains(
            "Answer in one sentence.", model.Requests[1].GetProperty("messages").ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_that_asks_is_confirmed_before_it_is_answered()
    {
        var session = await Session(
            lab.Model(Reply.ToolUse("bash", new { command = "hostname" }), Reply.Text("done")),
            new BetaManagedAgentsAgentToolset20260401Params
            {
                DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
                {
                    PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
                },
            });
        var id = (await session.Turn(Events.Message("go"))).The("agent.tool_use").Id()!;

        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => session.Send(Events.SandboxResult(id, "early")));
        var allowed = await session.Turn(Events.Allow(id));
        var answered = await session.Turn(Events.SandboxResult(id, "box-1"));

        Assert.Equal("requires_action", allowed[^1].StopReason());
        Assert.Equal("end_turn", answered[^1].StopReason());
    }

    private async Task<LabSession> Session(ModelScript model, AgentTool tools)
    {
        var environment = await lab.Client.Beta.Environments.Create(
            new EnvironmentCreateParams { Name = "ours", Config = new BetaSelfHostedConfigParams() }, Cancellation);
        var agent = await lab.Agent(model, tools);
        var session = await lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = environment.ID, Agent = agent.ID }, Cancellation);
        return new LabSession(lab.Client, session.ID);
    }
}
