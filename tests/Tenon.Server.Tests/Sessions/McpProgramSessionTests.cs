using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Sessions whose agent has an MCP server that runs in their sandbox, over a whole server's API.</summary>
public sealed class McpProgramSessionTests : IAsyncLifetime
{
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.Start();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_tools_of_a_program_work_on_the_files_of_the_session()
    {
        var session = await NewSession(StdioServer.Python());
        session.Model.Calls("mcp__s__write", """{"path":"/mnt/session/outputs/lamps.txt"}""").Says("done");

        var events = await session.Run(TestSession.Says("go"));

        Assert.Equal("ok", The(events, "agent.mcp_tool_result").Text("content.0.text"));
        Assert.Equal("written", (await session.Shell("cat /outputs/lamps.txt")).Trim());
        Assert.Equal("lamps.txt",
            (await _server.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data.0").Text("filename"));
        var kept = (await _server.Get($"/v1/agents/{session.AgentId}")).Ok().At("mcp_servers.0");
        Assert.Equal(["type", "name", "command", "args"], kept.EnumerateObject().Select(field => field.Name));
    }

    [Fact]
    public async Task The_files_that_a_program_has_changed_are_those_of_a_fork()
    {
        var session = await NewSession(StdioServer.Python());
        session.Model.Calls("mcp__s__write", """{"path":"/workspace/lamps.txt"}""").Says("done");
        var events = await session.Run(TestSession.Says("go"));
        await session.UntilIdle(TestContext.Current.CancellationToken);

        var fork = new TestSession(_server, (await _server.Post(
            $"{session.Path}/fork", $$"""{"event_id":"{{events[^1].Json.Text("id")}}"}""")).Ok(), session.Model);

        Assert.Equal("written", await fork.Shell("cat lamps.txt"));
    }

    [Theory]
    [InlineData("no-such-program")]
    [InlineData("true")]
    public async Task A_program_that_is_not_there_costs_the_turn_its_tools_and_no_more(string command)
    {
        var session = await NewSession(StdioServer.Of(command));
        session.Model.Says("one").Says("two");

        var events = await session.Run(TestSession.Says("go"));
        await session.Run(TestSession.Says("again"));

        var error = The(events, "session.error");
        Assert.Equal(("mcp_connection_failed_error", "s", "retrying"),
            (error.Text("error.type"), error.Text("error.mcp_server_name"), error.Text("error.retry_status.type")));
        Assert.Contains("its program ended with status", error.Text("error.message"), StringComparison.Ordinal);
        Assert.Equal("end_turn", events[^1].Json.Text("stop_reason.type"));
        Assert.DoesNotContain(session.Model.Requests.SelectMany(request => request.Tools),
            tool => tool.Name.StartsWith("mcp__", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_call_that_a_stop_of_the_server_cut_short_is_not_made_again()
    {
        var session = await NewSession(StdioServer.Python());
        session.Model.Calls("mcp__s__hang", "{}");
        await using (var stream = await session.Stream())
        {
            await session.Send(TestSession.Says("go"));
            await stream.Until("agent.mcp_tool_use");
        }

        session.Model.Says("done");
        await _server.Restart();
        await session.UntilIdle(TestContext.Current.CancellationToken);

        var result = (await session.List()).EnumerateArray().Single(
            @event => @event.Text("type") == "agent.mcp_tool_result");
        Assert.Contains("its outcome is unknown", result.Text("content.0.text"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_self_hosted_session_has_no_place_for_a_program()
    {
        var model = "scripted-nowhere";
        var agent = await _server.NewAgent(model, StdioServer.Fields(StdioServer.Python()));
        var environment = await _server.NewEnvironment("self_hosted");
        var session = new TestSession(_server, (await _server.Post(
            "/v1/sessions", $$"""{"agent":"{{agent}}","environment_id":"{{environment}}"}""")).Ok(),
            _server.Models.Of(model));
        session.Model.Says("one");

        var error = The(await session.Run(TestSession.Says("go")), "session.error");

        Assert.EndsWith("the session's environment is self_hosted.", error.Text("error.message"),
            StringComparison.Ordinal);
        Assert.False(Directory.Exists(_server.Services.GetRequiredService<SandboxProvider>()
            .FolderOf(session.Id).Path));
    }

    [Fact]
    public async Task A_token_of_a_vault_is_a_placeholder_to_a_program_too()
    {
        var vault = (await _server.Post("/v1/vaults", """{"display_name":"v"}""")).Ok().Text("id");
        (await _server.Post($"/v1/vaults/{vault}/credentials", """
            {"auth":{"type":"environment_variable","secret_name":"LAMP_KEY","secret_value":"canary-of-lamps",
             "networking":{"type":"unrestricted"} } }
            """)).Ok();
        var session = await NewSession(StdioServer.Python(), $"\"vault_ids\":[\"{vault}\"]");
        session.Model.Calls("mcp__s__say", """{"name":"LAMP_KEY"}""").Says("done");

        var events = await session.Run(TestSession.Says("go"));

        Assert.StartsWith("tenon_placeholder_", The(events, "agent.mcp_tool_result").Text("content.0.text"),
            StringComparison.Ordinal);
    }

    private async Task<TestSession> NewSession(McpServer server, string fields = "")
    {
        var model = $"scripted-program-{Guid.NewGuid():N}";
        return await _server.NewSessionOf(
            model, await _server.NewAgent(model, StdioServer.Fields(server)), fields);
    }

    private static JsonElement The(IReadOnlyList<StreamEvent> events, string type) =>
        events.Single(@event => @event.Json.Text("type") == type).Json;
}
