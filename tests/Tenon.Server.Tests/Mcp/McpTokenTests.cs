using Microsoft.AspNetCore.Http;
using ModelContextProtocol.Protocol;
using Tenon.Server.Mcp;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Mcp;

/// <summary>Where a token goes, when it is asked for again, and that nobody else ever sees it.</summary>
public sealed class McpTokenTests : IAsyncDisposable
{
    private const string Secret = "s3cret/token+value";

    private readonly McpLab _lab = new() { Token = _ => Secret };
    private readonly McpHost _host = new McpHost(McpHostKind.Stateful).Says("one", "1");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData(McpHostKind.Stateless)]
    [InlineData(McpHostKind.Stateful)]
    [InlineData(McpHostKind.Sse)]
    public async Task Every_request_carries_it(McpHostKind kind)
    {
        await using var host = new McpHost(kind).Says("one", "1");

        await _lab.List(host.Url, Token);
        await _lab.Call(host.Url, "one", Token);
        await _lab.Servers.Close(McpLab.SessionId);

        Assert.All(host.Requests, request => Assert.Equal($"Bearer {Secret}", request.Headers["Authorization"]));
    }

    [Fact]
    public async Task One_that_is_rejected_is_renewed_once_and_the_request_made_again()
    {
        var asked = new List<string?>();
        _lab.Token = rejected =>
        {
            asked.Add(rejected);
            return rejected is null ? "expired-token" : "fresh-token";
        };
        _host.Before = http => McpHost.Answer(http, Bearer(http) == "fresh-token" ? null : 401);

        var listing = await _lab.List(_host.Url, Token);
        var output = await _lab.Call(_host.Url, "one", Token);

        Assert.Null(listing.Fault);
        Assert.Equal("1", McpLab.Text(output));
        Assert.Equal([null, "expired-token"], asked);
        Assert.Equal(["one"], _host.Calls);
    }

    [Fact]
    public async Task One_that_expires_between_two_calls_is_renewed_in_the_call()
    {
        var valid = "first-token";
        _lab.Token = rejected => rejected is null ? "first-token" : valid;
        _host.Before = http => McpHost.Answer(http, Bearer(http) == valid ? null : 401);
        await _lab.List(_host.Url, Token);

        valid = "second-token";

        Assert.Equal("1", McpLab.Text(await _lab.Call(_host.Url, "one", Token)));
        Assert.Equal(["one"], _host.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_another_one_the_authentication_has_failed(bool isAnotherGiven)
    {
        _lab.Token = rejected => rejected is null ? Secret : isAnotherGiven ? "another-token" : null;
        _host.Before = http => McpHost.Answer(http, 401);

        var fault = (await _lab.List(_host.Url, Token)).Fault!;

        Assert.Equal(McpFault.Authentication, fault.Type);
        Assert.Contains("rejects the credential that the session's vaults have for it", fault.Message,
            StringComparison.Ordinal);
        Assert.InRange(_host.Requests.Count, 1, 2);
    }

    [Fact]
    public async Task A_call_that_is_not_let_in_any_more_was_not_made()
    {
        await _lab.List(_host.Url, Token);
        _lab.Token = _ => null;
        _host.Before = http => McpHost.Answer(http, 401);

        var answer = await _lab.Servers.Call(
            new(McpLab.SessionId, McpLab.Server(_host.Url), "one", System.Text.Json.JsonElement.Parse("{}")), Token);

        Assert.StartsWith("The call was not made.", McpLab.Text(answer.Output), StringComparison.Ordinal);
        Assert.Equal(McpFault.Authentication, answer.Fault!.Type);
        Assert.Empty(_host.Calls);
    }

    [Fact]
    public async Task One_that_was_changed_or_taken_away_counts_from_the_next_turn_on()
    {
        await _lab.List(_host.Url, Token);
        _lab.Token = _ => "changed-token";
        await _lab.List(_host.Url, Token);
        _lab.Token = _ => null;
        await _lab.List(_host.Url, Token);

        Assert.Equal([Secret, "changed-token", null], _host.Requests
            .Where(request => request.Body.Contains("tools/list", StringComparison.Ordinal))
            .Select(request => request.Headers.GetValueOrDefault("Authorization")?["Bearer ".Length..]));
    }

    [Fact]
    public async Task A_server_that_repeats_it_is_not_passed_on()
    {
        _host.Tool("echo", (_, _) => Task.FromResult(new CallToolResult
        {
            Content =
            [
                new TextContentBlock { Text = $"raw {Secret} in a url {Uri.EscapeDataString(Secret)} "
                    + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes("user:" + Secret)) },
                new EmbeddedResourceBlock
                {
                    Resource = new TextResourceContents { Uri = $"x://{Secret}", Text = Secret },
                },
            ],
        }), description: $"Your token is {Secret}.");
        _host.Tool("fail", (_, _) => throw new ModelContextProtocol.McpProtocolException($"bad token {Secret}"));

        var listing = await _lab.List(_host.Url, Token);
        var output = await _lab.Call(_host.Url, "echo", Token);
        var error = await _lab.Call(_host.Url, "fail", Token);

        var seen = System.Text.Json.JsonSerializer.Serialize(
            new { listing.Tools, output = McpLab.Text(output), output.Content, error = McpLab.Text(error) });
        Assert.DoesNotContain("s3cret", seen, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Secret))[2..16], seen,
            StringComparison.Ordinal);
        Assert.Contains("Your token is [secret].", seen, StringComparison.Ordinal);
        Assert.Contains("bad token [secret]", McpLab.Text(error), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(500)]
    public async Task An_error_page_that_repeats_it_is_not_passed_on(int status)
    {
        _host.Before = async http =>
        {
            http.Response.StatusCode = status;
            http.Response.Headers["X-Reason"] = Secret;
            await http.Response.WriteAsync($"the token {Secret} is wrong");
            return true;
        };

        Assert.DoesNotContain("s3cret", (await _lab.List(_host.Url, Token)).Fault!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(307)]
    [InlineData(308)]
    public async Task It_does_not_follow_a_redirect_to_another_host(int status)
    {
        await using var other = new McpHost().Says("one", "1");
        _host.Before = http => McpHost.Answer(http, status, ("Location", other.Url));

        var fault = (await _lab.List(_host.Url, Token)).Fault!;

        Assert.Contains($"it sends on to http://mcp.test:{other.Port}, which no token is sent to", fault.Message,
            StringComparison.Ordinal);
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task It_does_not_follow_an_old_server_that_names_another_host_for_its_messages()
    {
        await using var other = new McpHost().Says("one", "1");
        await using var pages = new PageHost();
        pages.Page("/mcp", async http =>
        {
            if (http.Request.Method == "POST")
            {
                http.Response.StatusCode = 405;
                return;
            }

            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync($"event: endpoint\ndata: {other.Url}\n\n");
            await http.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });

        var fault = (await _lab.List(pages.Url("/mcp"), Token)).Fault!;

        Assert.Contains("which no token is sent to", fault.Message, StringComparison.Ordinal);
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task It_is_not_sent_in_the_clear_beyond_the_operators_own_network()
    {
        _lab.Names["public.test"] = System.Net.IPAddress.Parse("1.1.1.1");

        var fault = (await _lab.List("http://public.test/mcp", Token)).Fault!;

        Assert.Equal(McpFault.Authentication, fault.Type);
        Assert.Contains("plain http, over which none is sent. Use https.", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_no_header_can_carry_is_said_to_be_none()
    {
        _lab.Token = _ => "two\nlines-of-token";

        var fault = (await _lab.List(_host.Url, Token)).Fault!;

        Assert.Contains("no text that a header can carry", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("lines-of", fault.Message, StringComparison.Ordinal);
    }

    private static string? Bearer(HttpContext http) => http.Request.Headers.Authorization.ToString() switch
    {
        var header when header.StartsWith("Bearer ", StringComparison.Ordinal) => header["Bearer ".Length..],
        _ => null,
    };
}
