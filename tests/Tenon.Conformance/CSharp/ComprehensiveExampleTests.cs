using System.Text;
using System.Text.Json;
using Anthropic.Core;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Anthropic.Models.Beta.Vaults;
using Anthropic.Models.Beta.Vaults.Credentials;
using Anthropic.Models.Skills;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>
/// What the SDK's comprehensive example does, in its order: everything that an agent can have at once. It ends on its
/// own, at the first idle that waits for nothing.
/// </summary>
public sealed class ComprehensiveExampleTests(Lab lab)
{
    private const string Token = "token-of-a-code-host";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_with_a_vault_skills_an_MCP_server_and_a_custom_tool_uses_them_all()
    {
        await using var host = Everything.Host(Token);
        var beta = lab.Client.Beta;
        var environment = await beta.Environments.Create(
            new EnvironmentCreateParams { Name = "everything" }, Cancellation);
        var vault = await Vault(host.AddressUrl);
        var agent = await Agent(Everything.Model(lab), host.AddressUrl);
        var session = await beta.Sessions.Create(
            new SessionCreateParams
            {
                EnvironmentID = environment.ID,
                Agent = new Anthropic.Models.Beta.Sessions.BetaManagedAgentsAgentParams
                {
                    ID = agent.ID, Version = agent.Version,
                },
                VaultIds = [vault],
            },
            Cancellation);
        await beta.Sessions.Events.Send(
            session.ID, new EventSendParams { Events = [Events.Message("Use what you can use.")] }, Cancellation);

        var events = await Answered(session.ID);

        Assert.DoesNotContain("session.error", events.Types());
        Assert.Equal("two repositories", events.The("agent.mcp_tool_result").Text());
        Assert.Contains("Say good day", events.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.Equal(["search"], host.Calls);
    }

    private async Task<string> Vault(string url)
    {
        var vault = await lab.Client.Beta.Vaults.Create(
            new VaultCreateParams { DisplayName = "everything" }, Cancellation);
        await lab.Client.Beta.Vaults.Credentials.Create(
            vault.ID,
            new CredentialCreateParams
            {
                DisplayName = "code host",
                Auth = new BetaManagedAgentsStaticBearerCreateParams { McpServerUrl = url, Token = Token },
            },
            Cancellation);
        return vault.ID;
    }

    private async Task<BetaManagedAgentsAgent> Agent(ModelScript model, string url)
    {
        var skill = await lab.Client.Skills.Create(
            new SkillCreateParams
            {
                DisplayName = "greeting",
                Files =
                [
                    new BinaryContent
                    {
                        Stream = new MemoryStream(Encoding.UTF8.GetBytes(
                            "---\nname: greeting\ndescription: Greets.\n---\n\nSay good day.\n")),
                        FileName = "greeting/SKILL.md",
                        ContentType = new("text/markdown"),
                    },
                ],
            },
            Cancellation);
        var first = await lab.Client.Beta.Agents.Create(Definition(model, url), Cancellation);
        var agent = await lab.Client.Beta.Agents.Update(
            first.ID,
            new AgentUpdateParams
            {
                Version = first.Version,
                Skills =
                [
                    new BetaManagedAgentsCustomSkillParams { SkillID = skill.ID },
                    new BetaManagedAgentsAnthropicSkillParams { SkillID = "xlsx" },
                ],
            },
            Cancellation);
        var versions = await lab.Client.Beta.Agents.Versions.List(agent.ID, cancellationToken: Cancellation);
        Assert.Equal([2L, 1L], versions.Items.Select(version => (long)version.Version));
        return agent;
    }

    private static AgentCreateParams Definition(ModelScript model, string url) => new()
    {
        Name = "everything",
        Model = new BetaManagedAgentsModelConfigParams { ID = model.Name },
        System = "You help.",
        McpServers = [new() { Name = "code", Url = url }],
        Tools =
        [
            new BetaManagedAgentsAgentToolset20260401Params(),
            new BetaManagedAgentsMcpToolsetParams { McpServerName = "code" },
            new BetaManagedAgentsCustomToolParams
            {
                Name = "get_weather",
                Description = "The weather of a city now.",
                InputSchema = new()
                {
                    Properties = new Dictionary<string, JsonElement>
                    {
                        ["city"] = JsonSerializer.SerializeToElement(new { type = "string" }),
                    },
                    Required = ["city"],
                },
            },
        ],
    };

    private async Task<List<JsonElement>> Answered(string sessionId)
    {
        var session = new LabSession(lab.Client, sessionId);
        var events = new List<JsonElement>();
        await foreach (var @event in lab.Client.Beta.Sessions.Events.StreamStreaming(
            sessionId, cancellationToken: Cancellation))
        {
            events.Add(@event.Json);
            if (@event.TryPickAgentCustomToolUseEvent(out var custom))
            {
                await session.Send(Events.ToolResult(custom.ID, "{\"temperature_c\": 14}"));
            }
            else if (@event.TryPickAgentMcpToolUseEvent(out var mcp))
            {
                await session.Send(Events.Allow(mcp.ID));
            }
            else if (@event.TryPickSessionStatusIdleEvent(out var idle)
                && !idle.StopReason.TryPickBetaManagedAgentsSessionRequiresAction(out _))
            {
                break;
            }
        }

        return events;
    }
}
