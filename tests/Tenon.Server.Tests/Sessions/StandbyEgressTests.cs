using Microsoft.Extensions.DependencyInjection;
using System.Net;
using System.Net.Sockets;
using Tenon.Server.Egress;
using Tenon.Server.Tests.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Two servers on one PostgreSQL: one runs the sandbox, the other changes its environment.</summary>
public sealed class StandbyEgressTests : IAsyncLifetime
{
    private readonly TcpListener _host = new(IPAddress.Loopback, 0);
    private TestServer _owner = null!;
    private TestServer _standby = null!;

    private int Port => ((IPEndPoint)_host.LocalEndpoint).Port;

    public async ValueTask InitializeAsync()
    {
        _host.Start();
        var postgres = await PostgresRun.NewDatabase();
        _owner = await Start(postgres);
        _standby = await Start(postgres);
    }

    public async ValueTask DisposeAsync()
    {
        await _standby.DisposeAsync();
        await _owner.DisposeAsync();
        _host.Dispose();
    }

    [Fact]
    public async Task A_tunnel_ends_when_another_process_no_longer_allows_its_host()
    {
        var session = await _owner.NewSession("""[{"type":"agent_toolset_20260401"}]""");
        var environment = $"/v1/environments/{session.Created.Text("environment_id")}";
        await Allow(environment, $"localhost:{Port}");
        session.Model.Calls("bash", $$"""{"command":"curl -sp --noproxy '' http://localhost:{{Port}}/"}""")
            .Says("done");
        var running = session.Run(TestSession.Says("go"));
        using var tunnel = await _host.AcceptTcpClientAsync(TestContext.Current.CancellationToken);

        await Allow(environment, "other.example");

        await running;
        Assert.Equal(
            ["the environment no longer allows this host"],
            (await _owner.Get($"{session.Path}/egress")).Ok().At("data").Texts("reason"));
    }

    private static Task<TestServer> Start(string postgres) => TestServer.Start(
        services => services.AddSingleton(new EgressOptions { AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")] }),
        postgres: postgres);

    private async Task Allow(string environment, string host) => (await _standby.Post(environment, new
    {
        config = new { type = "cloud", networking = new { type = "limited", allowed_hosts = new[] { host } } },
    })).Ok();
}
