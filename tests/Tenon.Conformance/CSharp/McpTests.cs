using System.Text.Json;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Agents with MCP servers, as a client of the official SDK has them.</summary>
public sealed class McpTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(McpHostKind.Stateless)]
    [InlineData(McpHostKind.Stateful)]
    [InlineData(McpHostKind.Sse)]
    public async Task A_call_asks_by_default_and_runs_once_it_is_allowed(McpHostKind kind)
    {
        await using var host = new McpHost(kind).Says("greet", "hello from afar");
        var model = lab.Model(Reply.ToolUse("mcp__greeter__greet", new { text = "x" }), Reply.Text("done"));
        var session = await Session(lab, model, host.AddressUrl);

        var asked = await session.Turn(Events.Message("greet"));
        var use = asked.The("agent.mcp_tool_use");
        Assert.Empty(host.Calls);
        var allowed = await session.Turn(Events.Allow(use.Id()!));

        Assert.Equal(("greeter", "greet", "ask"), (
            use.GetProperty("mcp_server_name").GetString(), use.GetProperty("name").GetString(),
            use.GetProperty("evaluated_permission").GetString()));
        Assert.Equal("requires_action", asked[^1].StopReason());
        var result = allowed.The("agent.mcp_tool_result");
        Assert.Equal((use.Id(), "hello from afar"), (result.GetProperty("mcp_tool_use_id").GetString(), result.Text()));
        Assert.Equal("end_turn", allowed[^1].StopReason());
        Assert.Equal("mcp__greeter__greet",
            model.Requests[0].GetProperty("tools")[0].GetProperty("name").GetString());
        Assert.Equal("hello from afar",
            model.Requests[1].GetProperty("messages")[2].GetProperty("content")[0].Text());
    }

    [Fact]
    public async Task A_call_that_is_denied_does_not_reach_the_server_and_the_model_reads_why()
    {
        await using var host = new McpHost().Says("greet", "hello");
        var model = lab.Model(Reply.ToolUse("mcp__greeter__greet", new { text = "x" }), Reply.Text("understood"));
        var session = await Session(lab, model, host.AddressUrl);
        var asked = await session.Turn(Events.Message("greet"));

        var denied = await session.Turn(Events.Deny(asked.The("agent.mcp_tool_use").Id()!, "not on a Friday"));

        var result = denied.The("agent.mcp_tool_result");
        Assert.True(result.GetProperty("is_error").GetBoolean());
        Assert.Contains("not on a Friday", result.Text(), StringComparison.Ordinal);
        Assert.Empty(host.Calls);
    }

    [Fact]
    public async Task A_server_that_is_away_is_told_and_the_session_goes_on()
    {
        var session = await Session(lab, lab.Model(Reply.Text("without it")), $"http://{PageHost.Address}:1/mcp");

        var turn = await session.Turn(Events.Message("go"));

        var error = turn.The("session.error").GetProperty("error");
        Assert.Equal(("mcp_connection_failed_error", "greeter"),
            (error.Type(), error.GetProperty("mcp_server_name").GetString()));
        Assert.Equal("without it", turn.The("agent.message").Text());
        Assert.Equal("end_turn", turn[^1].StopReason());
    }

    [Fact]
    public async Task A_server_that_is_killed_in_a_call_makes_it_no_second_time_and_says_so()
    {
        await using var service = new AnthropicService();
        var answers = new Queue<Reply>([
            Reply.ToolUse("mcp__greeter__order", new { text = "x" }), Reply.Text("I will check.")]);
        service.Responder = _ => answers.Dequeue();
        await using var server = await ServerProcess.Start(service.Url);
        using var client = server.Client();
        await using var host = new McpHost();
        var (came, go) = host.Holds("order");
        var environment = await client.Beta.Environments.Create(new() { Name = "mcp" }, Cancellation);
        var agent = await client.Beta.Agents.Create(Definition("claude-script", host.AddressUrl,
            new BetaManagedAgentsAlwaysAllowPolicy()), Cancellation);
        var created = await client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = environment.ID, Agent = agent.ID }, Cancellation);
        var session = new LabSession(client, created.ID);
        await session.Send(Events.Message("order it"));
        await came.WaitAsync(Cancellation);

        await server.Kill();
        go.SetResult();
        await server.Start();
        await using (var stream = await session.Open())
        {
            var history = await session.History();
            if (history[^1].Type() != "session.status_idle")
            {
                await stream.ReadTo("session.status_idle");
            }
        }

        var result = (await session.History()).The("agent.mcp_tool_result");
        Assert.True(result.GetProperty("is_error").GetBoolean());
        Assert.Contains("its outcome is unknown", result.Text(), StringComparison.Ordinal);
        Assert.Equal(["order"], host.Calls);
    }

    private static async Task<LabSession> Session(Lab lab, ModelScript model, string url)
    {
        var agent = await lab.Client.Beta.Agents.Create(Definition(model.Name, url, null), Cancellation);
        Assert.Equal(url, Assert.Single(agent.McpServers).Url);
        var session = await lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = lab.EnvironmentId, Agent = agent.ID }, Cancellation);
        return new LabSession(lab.Client, session.ID);
    }

    private static AgentCreateParams Definition(
        string model, string url, BetaManagedAgentsAlwaysAllowPolicy? policy) => new()
    {
        Name = "mcp",
        Model = new BetaManagedAgentsModelConfigParams { ID = model },
        McpServers = [new() { Name = "greeter", Url = url }],
        Tools =
        [
            policy is null
                ? new BetaManagedAgentsMcpToolsetParams { McpServerName = "greeter" }
                : new BetaManagedAgentsMcpToolsetParams
                {
                    McpServerName = "greeter",
                    DefaultConfig = new() { PermissionPolicy = policy },
                },
        ],
    };
}
