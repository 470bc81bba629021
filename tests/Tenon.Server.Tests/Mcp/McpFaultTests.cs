using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Mcp;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Mcp;

/// <summary>Servers that are not there, lie, stall, flood or die: each is a value with a reason, in bounded time.
/// </summary>
public sealed class McpFaultTests : IAsyncDisposable
{
    private readonly McpLab _lab = new();
    private readonly PageHost _pages = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _pages.DisposeAsync();
    }

    public static TheoryData<int, string> Statuses => new()
    {
        { 401, "mcp_authentication_failed_error it answered 401: it wants a credential" },
        { 403, "mcp_authentication_failed_error it answered 403: it wants a credential" },
        { 404, "mcp_connection_failed_error it answered with the HTTP status 404." },
        { 429, "mcp_connection_failed_error it answered with the HTTP status 429." },
        { 500, "mcp_connection_failed_error it answered with the HTTP status 500." },
        { 302, "mcp_connection_failed_error it answered with the HTTP status 302." },
    };

    [Theory]
    [MemberData(nameof(Statuses))]
    public async Task A_status_that_is_no_success_is_told(int status, string expected)
    {
        _pages.Page("/mcp", http =>
        {
            http.Response.StatusCode = status;
            return http.Response.WriteAsync("secret words of a proxy");
        });

        Assert.StartsWith(expected, await Fault(_lab, _pages.Url("/mcp")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/html", "<html>Welcome</html>")]
    [InlineData("application/json", "{}")]
    [InlineData("application/json", "not json")]
    [InlineData("application/json", """{"jsonrpc":"2.0","id":1,"result":[]}""")]
    [InlineData("application/json", """{"jsonrpc":"2.0","id":99,"result":{}}""")]
    [InlineData("application/json; charset=no-such", "{}")]
    [InlineData("text/event-stream", "data: {\n\n")]
    [InlineData("text/event-stream", "event: endpoint\ndata: /other\n\n")]
    [InlineData("application/octet-stream", "\0\0\0")]
    public async Task What_is_no_mcp_is_said_to_be_none(string type, string body)
    {
        _pages.Page("/mcp", type, body);

        Assert.StartsWith("mcp_connection_failed_error ", await Fault(_lab, _pages.Url("/mcp")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_nobody_has_and_a_port_that_nobody_listens_on_are_told_apart()
    {
        var free = new TcpListener(PageHost.Address, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();

        Assert.Equal("mcp_connection_failed_error it cannot be connected to.",
            await Fault(_lab, $"http://mcp.test:{port}/mcp"));
        Assert.Equal("mcp_connection_failed_error its name has no address.",
            await Fault(_lab, "http://nowhere.invalid/mcp"));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("::1")]
    [InlineData("fd00::1")]
    public async Task A_private_address_is_not_dialled_and_the_setting_is_named(string address)
    {
        _lab.Names["inside.test"] = IPAddress.Parse(address);

        var fault = await Fault(_lab, "http://inside.test/mcp");

        Assert.Equal("mcp_connection_failed_error inside.test leads to an address that is not public. "
            + "An operator lets a private range through with egress.allowed_ranges.", fault);
        Assert.StartsWith("mcp_connection_failed_error ", await Fault(_lab, $"http://{
            (address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address)}:1/mcp"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_word_of_the_operator_a_server_on_this_machine_is_not_reached()
    {
        await using var closed = new McpLab(isOpen: false);
        await using var host = new McpHost().Says("one", "1");

        Assert.Contains("egress.allowed_ranges", await Fault(closed, host.Url), StringComparison.Ordinal);
        Assert.Empty(host.Requests);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("event: message\n")]
    public async Task A_server_that_stalls_is_left_in_time(string? beginning)
    {
        var clock = new FakeTimeProvider();
        await using var lab = new McpLab(clock: clock);
        var (came, left) = _pages.Hang("/mcp", beginning);
        var fault = Fault(lab, _pages.Url("/mcp"));
        await came.WaitAsync(Token);

        clock.Advance(lab.Limits.ListTimeMax);

        Assert.Equal("mcp_connection_failed_error it did not answer within 20 s.", await fault);
        await left.WaitAsync(Token);
    }

    [Fact]
    public async Task A_stream_that_drips_without_end_is_left_in_time()
    {
        var clock = new FakeTimeProvider();
        await using var lab = new McpLab(clock: clock);
        var drops = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _pages.Page("/mcp", async http =>
        {
            http.Response.ContentType = "text/event-stream";
            while (!http.RequestAborted.IsCancellationRequested)
            {
                await http.Response.WriteAsync(": still here\n\n");
                await http.Response.Body.FlushAsync();
                drops.TrySetResult();
                await Task.Yield();
            }

            left.TrySetResult();
        });
        var fault = Fault(lab, _pages.Url("/mcp"));
        await drops.Task.WaitAsync(Token);

        clock.Advance(lab.Limits.ListTimeMax);

        Assert.Equal("mcp_connection_failed_error it did not answer within 20 s.", await fault);
        await left.Task.WaitAsync(Token);
    }

    [Fact]
    public async Task A_server_that_is_silent_about_what_it_does_not_know_is_asked_in_the_old_way()
    {
        await using var lab = new McpLab(new() { ProbeTimeMax = TimeSpan.FromMilliseconds(50) });
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "1");
        host.Before = async http =>
        {
            using var body = new StreamReader(http.Request.Body, leaveOpen: true);
            var asksNew = (await body.ReadToEndAsync()).Contains("server/discover", StringComparison.Ordinal);
            http.Request.Body.Position = 0;
            if (asksNew)
            {
                var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                await using var aborted = http.RequestAborted.UnsafeRegister(_ => gone.TrySetResult(), null);
                await gone.Task;
            }

            return asksNew;
        };

        Assert.Equal("one", Assert.Single((await lab.List(host.Url, Token)).Tools).Name);
    }

    [Theory]
    [InlineData("application/json", "")]
    [InlineData("text/event-stream", "data: ")]
    [InlineData("text/event-stream", ": ")]
    public async Task An_answer_without_end_is_left_at_the_limit(string type, string beginning)
    {
        await using var lab = new McpLab(new() { AnswerBytesMax = 1_000_000 });
        _pages.Page("/mcp", async http =>
        {
            http.Response.ContentType = type;
            await http.Response.WriteAsync(beginning);
            var piece = Encoding.UTF8.GetBytes(new string('a', 64 * 1024));
            while (!http.RequestAborted.IsCancellationRequested)
            {
                await http.Response.Body.WriteAsync(piece);
            }
        });

        Assert.Equal("mcp_connection_failed_error it sent more than 1000000 bytes in one answer.",
            await Fault(lab, _pages.Url("/mcp")));
    }

    [Fact]
    public async Task A_result_that_is_too_large_is_an_error_and_the_next_call_goes_on()
    {
        await using var lab = new McpLab(new() { AnswerBytesMax = 1_000_000 });
        await using var host = new McpHost().Says("large", new string('a', 2_000_000)).Says("small", "ok");

        var output = await lab.Call(host.Url, "large", Token);

        Assert.True(output.IsError);
        Assert.Equal("The MCP server 's' gave no result of large, so whether it took effect is unknown: "
            + "it sent more than 1000000 bytes in one answer. Check before you repeat it.", McpLab.Text(output));
        Assert.Equal("ok", McpLab.Text(await lab.Call(host.Url, "small", Token)));
    }

    [Theory]
    [InlineData(McpHostKind.Stateless)]
    [InlineData(McpHostKind.Stateful)]
    [InlineData(McpHostKind.Sse)]
    public async Task A_server_that_dies_in_a_call_leaves_its_outcome_unknown_and_is_not_asked_twice(McpHostKind kind)
    {
        var host = new McpHost(kind);
        var (came, _) = host.Holds("slow");
        await _lab.List(host.Url, Token);
        var call = _lab.Call(host.Url, "slow", Token);
        await came.WaitAsync(Token);

        await host.DisposeAsync();
        var output = await call;

        Assert.True(output.IsError);
        Assert.Contains("so whether it took effect is unknown", McpLab.Text(output), StringComparison.Ordinal);
        Assert.Equal(["slow"], host.Calls);
    }

    [Theory]
    [InlineData(McpHostKind.Stateless)]
    [InlineData(McpHostKind.Stateful)]
    [InlineData(McpHostKind.Sse)]
    public async Task A_call_that_takes_too_long_is_given_up_and_the_server_hears_of_it(McpHostKind kind)
    {
        var clock = new FakeTimeProvider();
        await using var lab = new McpLab(clock: clock);
        await using var host = new McpHost(kind);
        var (came, _) = host.Holds("slow");
        var call = lab.Call(host.Url, "slow", Token);
        await came.WaitAsync(Token);

        clock.Advance(lab.Limits.CallTimeMax);

        Assert.Contains(
            "is unknown: it did not answer within 300 s.", McpLab.Text(await call), StringComparison.Ordinal);
        await host.TakenBack.WaitAsync(Token);
    }

    [Fact]
    public async Task A_call_to_a_server_that_is_away_was_not_made()
    {
        var host = new McpHost().Says("one", "1");
        await _lab.List(host.Url, Token);
        await host.DisposeAsync();

        var answer = await _lab.Servers.Call(
            new(McpLab.SessionId, McpLab.Server(host.Url), "one", JsonElement.Parse("{}")), Token);

        Assert.StartsWith("The call was not made. The MCP server 's' cannot be used: it cannot be connected to.",
            McpLab.Text(answer.Output), StringComparison.Ordinal);
        Assert.Equal(McpFault.Connection, answer.Fault!.Type);
    }

    [Fact]
    public async Task One_server_that_is_away_takes_nothing_from_the_others()
    {
        await using var host = new McpHost().Says("one", "1");

        var listings = await _lab.Servers.List(
            McpLab.SessionId,
            [McpLab.Server("http://nowhere.invalid/mcp", "away"), McpLab.Server(host.Url, "there")], Token);

        Assert.Equal([true, false], listings.Select(listing => listing.Fault is not null));
        Assert.Equal("one", listings[1].Tools.Single().Name);
    }

    [Fact]
    public async Task Lists_and_calls_are_spans_for_who_listens()
    {
        var ended = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Tenon.Mcp",
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = span =>
            {
                if (Equals(span.GetTagItem("tenon.session.id"), McpLab.SessionId))
                {
                    lock (ended)
                    {
                        ended.Add(span);
                    }
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var host = new McpHost().Says("one", "1");

        await _lab.Servers.List(McpLab.SessionId, [McpLab.Server(host.Url, "spans")], Token);
        await _lab.Servers.Call(new(
            McpLab.SessionId, McpLab.Server(host.Url, "spans"), "one", JsonElement.Parse("{}")), Token);

        lock (ended)
        {
            var mine = ended.Where(span => Equals(span.GetTagItem("tenon.mcp.server.name"), "spans")).ToList();
            Assert.Equal(["tools/list", "tools/call one"], mine.Select(span => span.DisplayName));
        }
    }

    /// <summary>The type and the reason of what came of listing.</summary>
    private static async Task<string> Fault(McpLab lab, string url)
    {
        var fault = (await lab.List(url, Token)).Fault!;
        const string Start = "The MCP server 's' cannot be used: ";
        const string End = " It is tried again when the session next goes from idle to running.";
        Assert.StartsWith(Start, fault.Message, StringComparison.Ordinal);
        Assert.EndsWith(End, fault.Message, StringComparison.Ordinal);
        return $"{fault.Type} {fault.Message[Start.Length..^End.Length]}";
    }
}
