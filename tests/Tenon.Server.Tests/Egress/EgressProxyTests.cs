using System.Net;
using System.Text;
using Xunit;

namespace Tenon.Server.Tests.Egress;

public sealed class EgressProxyTests
{
    private const string Fine = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_goes_through_with_its_own_host_and_without_what_is_between_sandbox_and_proxy()
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(Fine);

        var answer = await lab.Send(
            $"GET http://one.test:{host.Port}/a?b=c HTTP/1.1\r\nHost: one.test:{host.Port}\r\nX-Mine: yes\r\n"
            + "Proxy-Connection: close\r\nProxy-Authorization: Basic c2VjcmV0\r\n"
            + "Connection: close, X-Hop\r\nX-Hop: 1\r\n\r\n");

        Assert.Equal("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", answer);
        Assert.Equal($"GET /a?b=c HTTP/1.1\r\nX-Mine: yes\r\nHost: one.test:{host.Port}\r\n\r\n", host.Got);
        var line = Assert.Single(await lab.EndedAudit());
        Assert.Equal(
            ("GET", "one.test", host.Port, "allowed", null, 2L),
            (line.Method, line.Host, line.Port, line.Verdict, line.Reason, line.BytesReceived));
        Assert.NotNull(line.EndedAt);
    }

    [Fact]
    public async Task Requests_over_one_connection_are_each_decided_and_go_to_their_own_host()
    {
        await using var lab = new EgressLab();
        await using var one = new RawHost(Fine);
        await using var two = new RawHost(Fine);
        lab.Limit($"one.test:{one.Port}", $"two.test:{two.Port}");

        var answer = await lab.Send(
            Get("one.test", one.Port) + Get("one.test", one.Port) + Get("two.test", two.Port)
            + Get("three.test", one.Port) + Get("one.test", one.Port));

        Assert.Equal(3, answer.Split("HTTP/1.1 200 OK").Length - 1);
        Assert.Equal(1, answer.Split("HTTP/1.1 403 Forbidden").Length - 1);
        Assert.Contains("does not allow three.test", answer, StringComparison.Ordinal);
        Assert.Equal(1, one.Connections);
        Assert.Equal(1, two.Connections);
        Assert.Equal(
            ["allowed", "allowed", "allowed", "refused"], (await lab.EndedAudit()).Select(line => line.Verdict));
    }

    [Fact]
    public async Task A_host_that_has_left_meanwhile_is_connected_to_again()
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(Fine, closes: true);
        await using var stream = await lab.Connect();
        var answer = new byte["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".Length];

        for (var i = 1; i <= 2; i++)
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(Get("one.test", host.Port)), Cancelled);
            await stream.ReadExactlyAsync(answer, Cancelled);
            Assert.Equal(Fine, Encoding.Latin1.GetString(answer));
            await host.Closed(Cancelled);
            Assert.Equal(i, host.Connections);
        }
    }

    [Theory]
    [InlineData("http://127.0.0.1:PORT/")]
    [InlineData("http://2130706433:PORT/")]
    [InlineData("http://0x7f.1:PORT/")]
    [InlineData("http://0177.0.0.1:PORT/")]
    [InlineData("http://127.1:PORT/")]
    [InlineData("http://[::1]:PORT/")]
    [InlineData("http://[::ffff:127.0.0.1]:PORT/")]
    public async Task An_address_in_place_of_a_name_is_refused(string url)
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(Fine);
        url = url.Replace("PORT", $"{host.Port}", StringComparison.Ordinal);
        var authority = url["http://".Length..^1];

        var answers = await lab.Send($"GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
            + await lab.Send($"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");

        Assert.Equal(2, answers.Split("HTTP/1.1 403 Forbidden").Length - 1);
        Assert.Equal(0, host.Connections);
    }

    [Fact]
    public async Task A_name_that_leads_to_a_private_address_is_not_dialled_also_when_it_is_bound_anew()
    {
        await using var lab = new EgressLab(allowsLoopback: false);
        await using var host = new RawHost(Fine);
        var asked = 0;
        lab.Resolve = (_, _) => Task.FromResult(
            (IPAddress[])[++asked == 1 ? IPAddress.Loopback : IPAddress.IPv6Loopback]);

        var answer = await lab.Send(Get("rebound.test", host.Port)) + await lab.Send(Get("rebound.test", host.Port));

        Assert.Equal(2, answer.Split("HTTP/1.1 403 Forbidden").Length - 1);
        Assert.Contains("has no public address", answer, StringComparison.Ordinal);
        Assert.Equal(2, asked);
        Assert.Equal(0, host.Connections);
    }

    [Theory]
    [InlineData("both lengths",
        "POST URL HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("two lengths", "POST URL HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc")]
    [InlineData("a list of lengths", "POST URL HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3, 3\r\n\r\nabc")]
    [InlineData("a signed length", "POST URL HTTP/1.1\r\nHost: HOST\r\nContent-Length: +3\r\n\r\nabc")]
    [InlineData("another coding",
        "POST URL HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("a hidden coding", "POST URL HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("two codings",
        "POST URL HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n")]
    [InlineData("chunks of HTTP/1.0", "POST URL HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("two hosts", "GET URL HTTP/1.1\r\nHost: HOST\r\nHost: other.test\r\n\r\n")]
    [InlineData("another host", "GET URL HTTP/1.1\r\nHost: other.test\r\n\r\n")]
    [InlineData("no host", "GET URL HTTP/1.1\r\n\r\n")]
    [InlineData("a folded field", "GET URL HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n")]
    [InlineData("a bare line feed", "GET URL HTTP/1.1\r\nHost: HOST\nX: a\r\n\r\n")]
    [InlineData("a bare return", "GET URL HTTP/1.1\r\nHost: HOST\r\nX: a\rb\r\n\r\n")]
    [InlineData("a NUL", "GET URL HTTP/1.1\r\nHost: HOST\r\nX: a\0b\r\n\r\n")]
    [InlineData("no name", "GET URL HTTP/1.1\r\nHost: HOST\r\n: a\r\n\r\n")]
    [InlineData("two spaces", "GET  URL HTTP/1.1\r\nHost: HOST\r\n\r\n")]
    [InlineData("another version", "GET URL HTTP/2.0\r\nHost: HOST\r\n\r\n")]
    [InlineData("only a path", "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n")]
    [InlineData("another scheme", "GET ftp://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n")]
    [InlineData("a user in the URL", "GET http://one.test@HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n")]
    [InlineData("a tunnel to another host", "CONNECT HOST HTTP/1.1\r\nHost: other.test:443\r\n\r\n")]
    [InlineData("a tunnel without a port", "CONNECT one.test HTTP/1.1\r\nHost: one.test\r\n\r\n")]
    [InlineData("a tunnel with a body", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\n\r\nabc")]
    public async Task What_two_parsers_could_read_differently_is_refused(string what, string request)
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(Fine);
        var authority = $"one.test:{host.Port}";

        var answer = await lab.Send(request.Replace("URL", $"http://{authority}/", StringComparison.Ordinal)
            .Replace("HOST", authority, StringComparison.Ordinal));

        Assert.True(answer.StartsWith("HTTP/1.1 400 Bad Request", StringComparison.Ordinal), $"{what}: {answer}");
        Assert.Equal("", host.Got);
        Assert.Equal("refused", Assert.Single(await lab.EndedAudit()).Verdict);
    }

    [Theory]
    [InlineData("5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("5\r\nhello\r\n00\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n")]
    public async Task Chunks_are_framed_anew(string sent, string got)
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(null);
        await using var stream = await lab.Connect();

        await stream.WriteAsync(
            Encoding.Latin1.GetBytes(Post(host.Port, "Transfer-Encoding: chunked") + sent), Cancelled);
        await Until(() => host.Got.EndsWith("0\r\n\r\n", StringComparison.Ordinal));

        Assert.EndsWith("transfer-encoding: chunked\r\n\r\n" + got, host.Got, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("5\nhello\n0\n\n")]
    [InlineData("-5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("0x5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("ffffffffffffffff1\r\nhello\r\n0\r\n\r\n")]
    [InlineData("4\r\nhello\r\n0\r\n\r\n")]
    public async Task Chunks_that_are_not_sound_end_the_request(string sent)
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(null);

        var answer = await lab.Send(Post(host.Port, "Transfer-Encoding: chunked") + sent + Get("one.test", host.Port));

        Assert.StartsWith("HTTP/1.1 502 Bad Gateway", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("GET", host.Got, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    [InlineData("nonsense\r\n\r\n")]
    public async Task An_answer_that_is_not_sound_is_a_bad_gateway(string answer)
    {
        await using var lab = new EgressLab();
        await using var host = new RawHost(answer);

        Assert.StartsWith(
            "HTTP/1.1 502 Bad Gateway", await lab.Send(Get("one.test", host.Port)), StringComparison.Ordinal);
        Assert.NotNull(Assert.Single(await lab.EndedAudit()).Reason);
    }

    [Fact]
    public async Task A_host_that_does_not_answer_is_a_bad_gateway_and_says_which()
    {
        await using var lab = new EgressLab();
        int port;
        await using (var gone = new RawHost(Fine))
        {
            port = gone.Port;
        }

        var answer = await lab.Send(Get("gone.test", port));

        Assert.StartsWith("HTTP/1.1 502 Bad Gateway", answer, StringComparison.Ordinal);
        Assert.Contains("gone.test", answer, StringComparison.Ordinal);
    }

    private static string Get(string host, int port) =>
        $"GET http://{host}:{port}/ HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n";

    private static string Post(int port, string field) =>
        $"POST http://one.test:{port}/ HTTP/1.1\r\nHost: one.test:{port}\r\n{field}\r\n\r\n";

    private static async Task Until(Func<bool> isSo)
    {
        while (!isSo())
        {
            Cancelled.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
