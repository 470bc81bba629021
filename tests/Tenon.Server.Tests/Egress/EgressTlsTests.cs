using System.Diagnostics;
using System.Net.Security;
using System.Security.Authentication;
using System.Text;
using Tenon.Server.Egress;
using Tenon.Server.Environments;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>Where TLS ends at the proxy: what it takes, what it refuses, and whom it trusts.</summary>
public sealed class EgressTlsTests : IAsyncLifetime
{
    private const string Secret = "a secret of the test";

    private readonly TestAuthority _authority = new();
    private readonly EgressLab _lab;
    private EchoHost _host = null!;

    public EgressTlsTests() => _lab = new EgressLab(root: _authority.Root);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Authority => $"one.test:{_host.Port}";

    public async ValueTask InitializeAsync()
    {
        _host = await EchoHost.Start(_authority.Certify("one.test", "two.test"));
        _lab.Credentials = [CredentialFor(Authority)];
    }

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _host.DisposeAsync();
        _authority.Dispose();
    }

    [Fact]
    public async Task Only_hosts_with_credentials_see_another_certificate_than_their_own()
    {
        await using var ended = await Secure("one.test");
        await using var passed = await Secure("two.test");

        Assert.Contains("Tenon egress", ended.RemoteCertificate!.Issuer, StringComparison.Ordinal);
        Assert.Equal("CN=A company", passed.RemoteCertificate!.Issuer);
    }

    [Fact]
    public async Task Requests_over_one_connection_are_each_read_and_written_down()
    {
        await using var stream = await Secure("one.test");

        var answers = await Ask(stream, Get("/echo/a") + Get("/echo/b") + "GET /echo/c HTTP/1.1\r\nHost: " + Authority
            + "\r\nConnection: close\r\n\r\n");

        Assert.Equal(3, answers.Split("HTTP/1.1 200 OK").Length - 1);
        Assert.Equal(3, _host.Got.Count);
        Assert.Equal(["GET", "GET", "GET"], (await _lab.EndedAudit()).Select(line => line.Method));
    }

    [Theory]
    [InlineData("another host", "GET / HTTP/1.1\r\nHost: two.test\r\n\r\n")]
    [InlineData("another port", "GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")]
    [InlineData("no host", "GET / HTTP/1.1\r\n\r\n")]
    [InlineData("two hosts", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n")]
    [InlineData("a whole URL", "GET https://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n")]
    [InlineData("a tunnel in a tunnel", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n")]
    [InlineData("both lengths",
        "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("a folded field", "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n")]
    [InlineData("HTTP/2 by itself", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    public async Task What_is_inside_is_read_as_strictly_as_what_is_not(string what, string request)
    {
        await using var stream = await Secure("one.test");

        var answer = await Ask(stream, request.Replace("HOST", Authority, StringComparison.Ordinal));

        Assert.True(answer.StartsWith("HTTP/1.1 400 Bad Request", StringComparison.Ordinal), $"{what}: {answer}");
        Assert.Empty(_host.Got);
        Assert.Equal("refused", Assert.Single(await _lab.EndedAudit()).Verdict);
    }

    [Fact]
    public async Task A_client_that_wants_another_host_or_speaks_only_http_2_gets_no_connection()
    {
        await Assert.ThrowsAnyAsync<Exception>(() => Secure("one.test", sni: "two.test"));
        await Assert.ThrowsAnyAsync<AuthenticationException>(
            () => Secure("one.test", protocol: SslApplicationProtocol.Http2));

        var reasons = (await _lab.EndedAudit(atLeast: 2)).Select(line => line.Reason).ToList();
        Assert.Equal(2, reasons.Count);
        Assert.Contains("the TLS client wants 'two.test'", reasons[0], StringComparison.Ordinal);
        Assert.Contains("is spoken to in HTTP/1.1", reasons[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "one.test")]
    [InlineData(true, "other.test")]
    public async Task A_host_that_nobody_vouches_for_gets_no_secret(bool trusted, string name)
    {
        using var stranger = new TestAuthority();
        await using var host = await EchoHost.Start((trusted ? _authority : stranger).Certify(name));
        _lab.Credentials = [CredentialFor($"one.test:{host.Port}")];
        await using var stream = await Secure("one.test", host.Port);

        var answer = await Ask(
            stream, $"GET /echo/a HTTP/1.1\r\nHost: one.test:{host.Port}\r\nX: {await _lab.Placeholder()}\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 502 Bad Gateway", answer, StringComparison.Ordinal);
        Assert.Contains("TLS with one.test failed", answer, StringComparison.Ordinal);
        Assert.Empty(host.Got);
    }

    [Fact]
    public async Task A_connection_ends_when_the_environment_no_longer_allows_its_host()
    {
        _lab.Limit(Authority);
        await using var stream = await Secure("one.test");

        _lab.Limit("two.test");
        await _lab.Proxy.Recheck(CancellationToken.None);

        await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1], Cancelled).AsTask());
    }

    [Fact]
    public async Task A_host_that_is_not_allowed_is_refused_whatever_credentials_there_are()
    {
        _lab.Limit("two.test");

        var answer = await _lab.Send($"CONNECT {Authority} HTTP/1.1\r\nHost: {Authority}\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 403 Forbidden", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tunnel_for_plain_http_to_such_a_host_is_read_too_and_carries_no_secret()
    {
        await using var plain = await EchoHost.Start(null);
        var authority = $"one.test:{plain.Port}";
        _lab.Credentials = [CredentialFor(authority)];
        var placeholder = await _lab.Placeholder();

        var answer = await _lab.Send(
            $"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
            + $"GET /echo/a HTTP/1.1\r\nHost: {authority}\r\nX: {placeholder}\r\nConnection: close\r\n\r\n");

        Assert.Contains("HTTP/1.1 200 OK", answer, StringComparison.Ordinal);
        Assert.Contains($"X: {placeholder}\n", plain.Got.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_request_is_a_span_without_its_secret()
    {
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Tenon.Egress",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (spans)
                {
                    spans.Add(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var stream = await Secure("one.test");
        await Ask(
            stream, $"GET /echo/a HTTP/1.1\r\nHost: {Authority}\r\nX: {await _lab.Placeholder()}\r\n"
            + "Connection: close\r\n\r\n");
        var line = Assert.Single(await _lab.EndedAudit());

        Activity span;
        lock (spans)
        {
            span = spans.Single(one => one.GetTagItem("tenon.egress.request.id") as string == line.Id);
        }

        var tags = span.TagObjects.ToDictionary();
        Assert.Equal(
            ("one.test", _host.Port, "allowed", 200, line.BytesReceived),
            (tags["server.address"], tags["server.port"], tags["tenon.egress.verdict"],
                tags["http.response.status_code"], tags["tenon.egress.bytes_received"]));
        Assert.Equal(["cred_1"], (IEnumerable<string>)tags["tenon.egress.credentials"]!);
        Assert.DoesNotContain(tags.Values, value => $"{value}".Contains(Secret, StringComparison.Ordinal));
    }

    private static EgressCredential CredentialFor(string host) => new()
    {
        Id = "cred_1", Name = "API_KEY", Secret = Secret, Hosts = [HostPattern.Parse(host)],
    };

    private string Get(string path) => $"GET {path} HTTP/1.1\r\nHost: {Authority}\r\n\r\n";

    /// <summary>TLS through a tunnel, as a client that trusts what sandboxes trust.</summary>
    private async Task<SslStream> Secure(
        string host, int? port = null, string? sni = null, SslApplicationProtocol? protocol = null)
    {
        var stream = await _lab.Connect();
        var target = $"{host}:{port ?? _host.Port}";
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"), Cancelled);
        var established = "HTTP/1.1 200 Connection established\r\n\r\n";
        var words = new byte[established.Length];
        await stream.ReadExactlyAsync(words, Cancelled);
        Assert.Equal(established, Encoding.ASCII.GetString(words));
        var secure = new SslStream(stream);
        await secure.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = sni ?? host, CertificateChainPolicy = _lab.Trust(),
                ApplicationProtocols = [protocol ?? SslApplicationProtocol.Http11],
            },
            Cancelled);
        return secure;
    }

    private static async Task<string> Ask(SslStream stream, string request)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Cancelled);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(Cancelled);
    }
}
