using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Sandboxes;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>The way out as programs in a sandbox take it.</summary>
public sealed class EgressSandboxTests : IAsyncLifetime
{
    private readonly EgressLab _egress = new();
    private readonly SandboxLab _lab;
    private readonly TaskCompletionSource _streaming = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WebApplication _host = null!;
    private ISandbox _sandbox = null!;

    public EgressSandboxTests() => _lab = new SandboxLab(egress: _egress.Proxy);

    private int Port => new Uri(_host.Urls.Single()).Port;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(Certificate())));
        _host = builder.Build();
        _host.MapGet("/hello", (HttpRequest request) => $"hello over {request.Protocol}");
        _host.MapGet("/endless", async (HttpResponse response, CancellationToken cancelled) =>
        {
            await response.WriteAsync("first\n", cancelled);
            await response.Body.FlushAsync(cancelled);
            _streaming.TrySetResult();
            await new TaskCompletionSource().Task.WaitAsync(cancelled);
        });
        await _host.StartAsync();
        _sandbox = await _lab.Open();
    }

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _egress.DisposeAsync();
        await _host.StopAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Programs_reach_a_host_that_is_allowed_also_by_http_2()
    {
        _egress.Limit($"one.test:{Port}");

        Assert.Equal(
            "hello over HTTP/2", await _lab.Text(_sandbox, $"curl -sSk https://one.test:{Port}/hello"));
        Assert.Equal(
            "hello over HTTP/1.1", await _lab.Text(_sandbox, $"curl -sSk --http1.1 https://one.test:{Port}/hello"));
        var lines = await _egress.EndedAudit();
        Assert.All(
            lines, line => Assert.Equal(("CONNECT", "one.test", "allowed"), (line.Method, line.Host, line.Verdict)));
        Assert.All(lines, line => Assert.True(line is { BytesSent: > 100, BytesReceived: > 100 }));
    }

    [Fact]
    public async Task Everything_else_is_refused_and_written_down()
    {
        _egress.Limit($"one.test:{Port}");

        Assert.Contains(
            "CONNECT tunnel failed, response 403",
            (await _lab.Bash(_sandbox, $"curl -sSk https://two.test:{Port}/hello 2>&1")).Text(),
            StringComparison.OrdinalIgnoreCase);
        Assert.NotEqual(
            "0", await _lab.Text(_sandbox, $"curl -sk --noproxy '*' https://127.0.0.1:{Port}/hello; echo $?"));
        var line = Assert.Single(await _egress.EndedAudit());
        Assert.Equal(("two.test", "refused"), (line.Host, line.Verdict));
    }

    [Fact]
    public async Task A_tls_client_that_wants_another_host_than_the_tunnels_gets_none()
    {
        _egress.Limit($"one.test:{Port}");

        var answer = await _lab.Bash(
            _sandbox, $"curl -sSk --connect-to other.test:443:one.test:{Port} https://other.test/hello");

        Assert.True(answer.IsError);
        Assert.Equal(
            "the TLS client wants 'other.test' and the tunnel is to one.test",
            Assert.Single(await _egress.EndedAudit()).Reason);
    }

    [Fact]
    public async Task A_tunnel_ends_when_the_environment_no_longer_allows_its_host()
    {
        var running = _lab.Bash(_sandbox, $"curl -sSkN https://one.test:{Port}/endless");
        await _streaming.Task;

        _egress.Limit("two.test");
        await _egress.Proxy.Recheck(CancellationToken.None);

        Assert.True((await running).IsError);
        Assert.Equal(
            "the environment no longer allows this host", Assert.Single(await _egress.EndedAudit()).Reason);
    }

    [Fact]
    public async Task A_program_is_told_when_the_proxy_is_not_there()
    {
        await _egress.Proxy.Close("sesn_1");

        Assert.Contains(
            "the egress proxy is not there", await _lab.Text(_sandbox, "curl -sS http://one.test/"),
            StringComparison.Ordinal);
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        using var made = new CertificateRequest("CN=one.test", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
