using Microsoft.Extensions.DependencyInjection;
using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using ModelContextProtocol.Protocol;
using Tenon.Server.Egress;
using Tenon.Server.Mcp;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Sessions whose agent has MCP servers, over the API of a whole server.</summary>
public sealed class McpSessionTests : IAsyncLifetime
{
    private const string Secret = "canary-of-a-vault";

    private readonly McpHost _host = new McpHost(McpHostKind.Stateful).Says("echo", "hello");
    private readonly ConcurrentQueue<(string Session, string Url)> _asked = new();
    private TestServer _server = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await TestServer.Start(services =>
    {
        services.AddSingleton(new EgressOptions { AllowedRanges = [new IPNetwork(PageHost.Address, 32)] });
        services.AddSingleton<McpTokenOf>((session, url, _, _) =>
        {
            _asked.Enqueue((session, url));
            return Task.FromResult<string?>(Secret);
        });
    });

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task A_session_calls_the_tools_of_its_agents_servers()
    {
        var session = await NewSession();
        session.Model.Calls("mcp__s__echo", "{}").Says("done");

        var events = await session.Run(TestSession.Says("go"));

        Assert.Equal("hello", The(events, "agent.mcp_tool_result").Text("content.0.text"));
        Assert.All(_asked, asked => Assert.Equal((session.Id, _host.AddressUrl), asked));
        Assert.All(_host.Requests, request => Assert.Equal($"Bearer {Secret}", request.Headers["Authorization"]));
    }

    [Fact]
    public async Task Servers_and_tools_of_an_idle_session_are_replaced_from_the_next_turn_on()
    {
        await using var other = new McpHost().Says("other", "");
        var session = await NewSession();
        session.Model.Says("one").Says("two").Says("three");
        await session.Run(TestSession.Says("go"));

        var updated = (await _server.Post(session.Path, $$$"""
            {"agent":{"mcp_servers":[{"type":"url","name":"o","url":"{{{other.AddressUrl}}}"}],
                      "tools":[{"type":"mcp_toolset","mcp_server_name":"o"}]}}
            """)).Ok();
        await session.Run(TestSession.Says("again"));
        (await _server.Post(session.Path, """{"agent":{"mcp_servers":[],"tools":[]}}""")).Ok();
        await session.Run(TestSession.Says("and again"));

        Assert.Equal("always_ask", updated.Text("agent.tools.0.default_config.permission_policy.type"));
        Assert.Equal(["mcp__s__echo", "mcp__o__other", ""], session.Model.Requests.Select(
            request => string.Concat(request.Tools.Select(tool => tool.Name))));
        Assert.Equal(2, (await session.Types()).Count(type => type == "session.updated"));
    }

    [Theory]
    [InlineData("""{"mcp_servers":[]}""", "tools: the mcp_toolset names the server 's', which mcp_servers lacks.")]
    [InlineData("""{"tools":[]}""", "mcp_servers: no mcp_toolset in tools refers to the server 's'.")]
    [InlineData("""{"mcp_servers":[{"type":"url","name":"s","url":"ftp://a"}]}""",
        "mcp_servers.0.url: must be an absolute http or https URL.")]
    public async Task An_update_that_leaves_one_without_the_other_is_refused(string agent, string message)
    {
        var session = await NewSession();

        (await _server.Post(session.Path, $$"""{"agent":{{agent}}}""")).Refused(400, message);
    }

    [Fact]
    public async Task A_session_may_be_made_with_servers_of_its_own()
    {
        var agent = await _server.NewAgent("scripted-own");
        var environment = await _server.NewEnvironment();
        var model = _server.Models.Of("scripted-own");
        model.Says("done");

        (await _server.Post("/v1/sessions", $$$"""
            {"environment_id":"{{{environment}}}","agent":{"type":"agent_with_overrides","id":"{{{agent}}}",
             "mcp_servers":[{"type":"url","name":"s","url":"{{{_host.AddressUrl}}}"}],
             "tools":[{"type":"mcp_toolset","mcp_server_name":"s"}]},
             "initial_events":[{"type":"user.message","content":[{"type":"text","text":"go"}]}]}
            """)).Ok();

        Assert.Equal("mcp__s__echo", (await model.Asked(Token)).Tools.Single().Name);
    }

    [Theory]
    [InlineData("archive")]
    [InlineData("kill")]
    [InlineData("delete")]
    public async Task The_end_of_a_session_ends_its_connections(string how)
    {
        var session = await NewSession();
        session.Model.Says("done");
        await session.Run(TestSession.Says("go"));

        (how == "delete" ? await _server.Delete(session.Path) : await _server.Post($"{session.Path}/{how}")).Ok();

        Assert.Equal("DELETE", _host.Requests[^1].Method);
    }

    [Fact]
    public async Task A_picture_of_a_server_is_a_file_of_the_session()
    {
        _host.Gives("shot", ImageContentBlock.FromBytes(MediaSamples.Png, "image/png"));
        var session = await NewSession();
        session.Model.Calls("mcp__s__shot", "{}").Says("done");

        var events = await session.Run(TestSession.Says("go"));

        var result = The(events, "agent.mcp_tool_result");
        Assert.Equal(("image", "file"), (result.Text("content.0.type"), result.Text("content.0.source.type")));
        var file = (await _server.Get($"/v1/files/{result.Text("content.0.source.file_id")}")).Ok();
        Assert.Equal("image/png", file.Text("mime_type"));
        var read = Assert.IsType<ModelToolResult>(session.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.Equal(Convert.ToBase64String(MediaSamples.Png),
            Assert.IsType<ImageBlock>(read.Content.Single()).Source.Data);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_credential_of_the_sessions_vault_reaches_its_server_until_it_is_archived(bool inThread)
    {
        // Credentials go over plain http to this machine's own names only, and this one leads to the host.
        await using var server = await TestServer.Start(services =>
        {
            services.AddSingleton(new EgressOptions { AllowedRanges = [new IPNetwork(PageHost.Address, 32)] });
            services.AddSingleton<ResolveName>((_, _) => Task.FromResult<IPAddress[]>([PageHost.Address]));
        });
        var url = $"http://localhost:{_host.Port}/mcp";
        _host.Before = http => McpHost.Answer(
            http, http.Request.Headers.Authorization == "Bearer token-of-a-vault" ? null : 401);
        var vault = (await server.Post("/v1/vaults", """{"display_name":"v"}""")).Ok().Text("id");
        var credentials = $"/v1/vaults/{vault}/credentials";
        var credential = (await server.Post(credentials, $$$"""
            {"auth":{"type":"static_bearer","mcp_server_url":"{{{url}}}/","token":"token-of-a-vault"} }
            """)).Ok().Text("id");
        var agent = await server.NewAgent("scripted-vault", $$$"""
            "mcp_servers":[{"type":"url","name":"s","url":"{{{url}}}"}],
            "tools":[{"type":"mcp_toolset","mcp_server_name":"s"}]
            """);
        var asked = server.Models.Of("scripted-vault");
        var lead = inThread ? await server.NewAgent("scripted-lead", $$$"""
            "multiagent":{"type":"coordinator","agents":["{{{agent}}}"]}
            """) : agent;
        var session = await server.NewSessionOf(
            inThread ? "scripted-lead" : "scripted-vault", lead, $"\"vault_ids\":[\"{vault}\"]");

        var with = await Run("with");
        (await server.Post($"{credentials}/{credential}/archive")).Ok();
        var without = await Run("without");

        Assert.DoesNotContain(with, @event => @event.Name == "session.error");
        Assert.Equal("mcp_authentication_failed_error", The(without, "session.error").Text("error.type"));
        Assert.Equal([1, 0], asked.Requests.Select(request => request.Tools.Count));

        Task<IReadOnlyList<StreamEvent>> Run(string says)
        {
            if (!inThread)
            {
                asked.Says(says);
                return session.Run(TestSession.Says("go"));
            }

            session.Model.Calls("send_to_agent", Team.Gives("tester", "go")).Says("Waiting.").Says("Heard.");
            return new Team(session, new Dictionary<string, ScriptedModel> { ["tester"] = asked })
                .Run("go", "tester", says);
        }
    }

    [Fact]
    public async Task The_example_with_a_server_of_its_own_runs()
    {
        _server.Models.Of("scripted-example").Calls("mcp__warehouse__stock", """{"article":"lamps"}""")
            .Says("You have five.");

        var output = await ExampleProgram.Run(_server, "mcp.mjs", new()
        {
            ["MODEL"] = "scripted-example", ["HOST"] = $"{PageHost.Address}",
        });

        Assert.Equal(
            "warehouse: stock {\"article\":\"lamps\"}\nThere are 5 pieces of lamps.\nYou have five.", output.Trim());
    }

    [Fact]
    public async Task A_token_that_a_server_repeats_is_left_nowhere()
    {
        _host.Tool("leak", (_, _) => throw new ModelContextProtocol.McpProtocolException($"bad token {Secret}"));
        _host.Says("say", $"it is {Secret}");
        var session = await NewSession();
        session.Model.Calls("mcp__s__leak", "{}").Calls("mcp__s__say", "{}", "call_2").Says("done");

        await session.Run(TestSession.Says("go"));
        await _server.Stop();

        var kept = Directory.EnumerateFiles(_server.DataDirectory, "tenon.db*").ToList();
        Assert.DoesNotContain(kept, path => Has(path, Secret));
        Assert.Contains(kept, path => Has(path, "it is [secret]"));
        Assert.Contains(kept, path => Has(path, "bad token [secret]"));
    }

    private Task<TestSession> NewSession() => NewSession($$$"""
        "mcp_servers":[{"type":"url","name":"s","url":"{{{_host.AddressUrl}}}"}],
        "tools":[{"type":"mcp_toolset","mcp_server_name":"s",
                  "default_config":{"permission_policy":{"type":"always_allow"} } }]
        """);

    private async Task<TestSession> NewSession(string fields)
    {
        var model = $"scripted-mcp-{Guid.NewGuid():N}";
        return await _server.NewSessionOf(model, await _server.NewAgent(model, fields));
    }

    private static bool Has(string path, string text) =>
        File.ReadAllBytes(path).AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;

    private static JsonElement The(IReadOnlyList<StreamEvent> events, string type) =>
        events.Single(@event => @event.Json.Text("type") == type).Json;
}
