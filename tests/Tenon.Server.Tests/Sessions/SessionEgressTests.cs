using Microsoft.Extensions.DependencyInjection;
using System.Net;
using Tenon.Server.Egress;
using Tenon.Server.Tests.Egress;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>A whole server: the environment's networking, the sandbox, and the record that a client reads.</summary>
public sealed class SessionEgressTests : IAsyncLifetime
{
    private readonly RawHost _host = new("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.Start(services => services
        .AddSingleton(new EgressOptions { AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")] }));

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task A_running_session_obeys_its_environment_as_it_is_now_and_its_record_is_listed()
    {
        var session = await _server.NewSession("""[{"type":"agent_toolset_20260401"}]""");
        var environment = $"/v1/environments/{session.Created.Text("environment_id")}";
        await Allow(environment, "other.example");
        var refused = await Curl(session);

        await Allow(environment, $"localhost:{_host.Port}");
        var reached = await Curl(session);

        Assert.Contains("does not allow localhost", refused, StringComparison.Ordinal);
        Assert.Equal("ok", reached);
        var first = (await _server.Get($"{session.Path}/egress?limit=1")).Ok();
        var second = (await _server.Get(
            $"{session.Path}/egress?limit=1&page={Uri.EscapeDataString(first.Text("next_page"))}")).Ok();
        Assert.Equal(["allowed"], first.At("data").Texts("verdict"));
        Assert.Equal(["refused"], second.At("data").Texts("verdict"));
        Assert.Equal(["localhost"], second.At("data").Texts("host"));

        (await _server.Delete(session.Path)).Ok();
        Assert.Equal(404, (await _server.Get($"{session.Path}/egress")).Status);
    }

    private async Task Allow(string environment, string host) => (await _server.Post(environment, new
    {
        config = new { type = "cloud", networking = new { type = "limited", allowed_hosts = new[] { host } } },
    })).Ok();

    /// <summary>What the agent's command gets.</summary>
    private async Task<string> Curl(TestSession session)
    {
        session.Model.Calls("bash", $$"""{"command":"curl -s --noproxy '' http://localhost:{{_host.Port}}/"}""")
            .Says("done");
        var events = await session.Run(TestSession.Says("go"));
        return events.Single(@event => @event.Json.Text("type") == "agent.tool_result")
            .Json.At("content")[0].Text("text");
    }
}
