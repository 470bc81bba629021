using Microsoft.Extensions.Time.Testing;
using ModelContextProtocol.Protocol;
using Tenon.Server.Mcp;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Mcp;

/// <summary>Real servers of every transport, as they are when all is well.</summary>
public sealed class McpServersTests : IAsyncDisposable
{
    private readonly McpLab _lab = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Theory]
    [InlineData(McpHostKind.Stateless)]
    [InlineData(McpHostKind.Stateful)]
    [InlineData(McpHostKind.Sse)]
    public async Task Tools_are_listed_and_called_over_every_transport(McpHostKind kind)
    {
        await using var host = new McpHost(kind).Tool(
            "add", (call, _) => Task.FromResult(new CallToolResult
            {
                Content = [new TextContentBlock { Text = $"got {call.Arguments!["text"]}" }],
            }),
            new ToolAnnotations { ReadOnlyHint = true }, description: "Adds.");

        var listing = await _lab.List(host.Url, Token);
        var output = await _lab.Call(host.Url, "add", Token, """{"text":"ünï"}""");

        Assert.Null(listing.Fault);
        var tool = Assert.Single(listing.Tools);
        Assert.Equal(("s", "add", "mcp__s__add", "Adds.", true),
            (tool.Server, tool.Name, tool.Offered, tool.Description, tool.CanRepeat));
        Assert.Equal("""{"type":"object","properties":{"text":{"type":"string"}}}""", tool.InputSchema.GetRawText());
        Assert.Equal(("got ünï", false), (McpLab.Text(output), output.IsError));
    }

    [Fact]
    public async Task A_list_of_many_pages_is_read_whole_and_in_order()
    {
        await using var host = new McpHost { PageSize = 3 };
        var names = Enumerable.Range(0, 10).Select(i => $"tool_{9 - i}").ToList();
        names.ForEach(name => host.Says(name, ""));

        var listing = await _lab.List(host.Url, Token);

        Assert.Equal(names, listing.Tools.Select(tool => tool.Name));
    }

    [Fact]
    public async Task A_list_is_read_anew_at_every_turn()
    {
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "");
        await _lab.List(host.Url, Token);
        host.Says("two", "").Remove("one");

        Assert.Equal("two", Assert.Single((await _lab.List(host.Url, Token)).Tools).Name);
    }

    [Fact]
    public async Task A_server_keeps_its_session_from_turn_to_turn_and_hears_when_it_ends()
    {
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "1");

        await _lab.List(host.Url, Token);
        await _lab.Call(host.Url, "one", Token);
        await _lab.List(host.Url, Token);
        await _lab.Servers.Close(McpLab.SessionId);

        Assert.Single(Sessions(host));
        Assert.Equal("DELETE", host.Requests[^1].Method);
    }

    [Fact]
    public async Task A_connection_that_rests_for_long_is_ended()
    {
        var clock = new FakeTimeProvider();
        await using var lab = new McpLab(clock: clock);
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "1");
        await lab.List(host.Url, Token);

        clock.Advance(lab.Limits.IdleMax - lab.Limits.SweepInterval);
        await lab.List(host.Url, Token);
        clock.Advance(lab.Limits.IdleMax + lab.Limits.SweepInterval);
        await lab.List(host.Url, Token);

        Assert.Equal(2, Sessions(host).Count);
    }

    [Fact]
    public async Task A_server_that_was_started_again_meanwhile_is_connected_to_anew()
    {
        var host = new McpHost(McpHostKind.Stateful).Says("one", "old");
        await _lab.List(host.Url, Token);
        await host.DisposeAsync();
        await using var again = new McpHost(McpHostKind.Stateful, host.Port).Says("one", "new");

        var called = await _lab.Call(host.Url, "one", Token);
        var listing = await _lab.List(host.Url, Token);

        Assert.Equal("new", McpLab.Text(called));
        Assert.Null(listing.Fault);
        Assert.Equal(["one"], again.Calls);
    }

    [Fact]
    public async Task A_server_whose_session_is_gone_at_the_beginning_of_a_turn_is_connected_to_anew()
    {
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "1");
        await _lab.List(host.Url, Token);
        var first = Assert.Single(Sessions(host));
        host.Before = http => McpHost.Answer(http, http.Request.Headers["Mcp-Session-Id"] == first ? 400 : null);

        Assert.Null((await _lab.List(host.Url, Token)).Fault);
    }

    [Fact]
    public async Task Calls_of_a_session_share_one_connection_that_the_first_of_them_opens()
    {
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "1");

        var outputs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _lab.Call(host.Url, "one", Token)));

        Assert.All(outputs, output => Assert.Equal("1", McpLab.Text(output)));
        Assert.Single(Sessions(host));
    }

    [Fact]
    public async Task Servers_are_asked_at_the_same_time_and_answer_in_the_agents_order()
    {
        await using var slow = new McpHost().Says("one", "");
        await using var quick = new McpHost().Says("two", "");
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        quick.Before = _ =>
        {
            asked.TrySetResult();
            return Task.FromResult(false);
        };
        slow.Before = async http =>
        {
            await asked.Task.WaitAsync(http.RequestAborted);
            return false;
        };

        var listings = await _lab.Servers.List(
            McpLab.SessionId, [McpLab.Server(slow.Url, "a"), McpLab.Server(quick.Url, "b")], Token);

        Assert.Equal(["a one", "b two"], listings.Select(listing => $"{listing.Server} {listing.Tools.Single().Name}"));
    }

    [Theory]
    [InlineData(McpHostKind.Stateless)]
    [InlineData(McpHostKind.Stateful)]
    [InlineData(McpHostKind.Sse)]
    public async Task A_call_that_is_no_longer_wanted_is_left_and_taken_back(McpHostKind kind)
    {
        await using var host = new McpHost(kind);
        var (came, _) = host.Holds("slow");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var call = _lab.Call(host.Url, "slow", stop.Token);
        await came.WaitAsync(Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await host.TakenBack.WaitAsync(Token);
    }

    [Fact]
    public async Task A_path_that_is_the_same_with_a_slash_is_found()
    {
        await using var host = new McpHost().Says("one", "1");
        host.Before = http => McpHost.Answer(http, http.Request.Path == "/mcp/" ? 307 : null, ("Location", "/mcp"));

        Assert.Null((await _lab.List(host.Url + "/", Token)).Fault);
        Assert.Equal("1", McpLab.Text(await _lab.Call(host.Url + "/", "one", Token)));
    }

    [Fact]
    public async Task Nothing_is_offered_that_a_server_could_ask_of_us()
    {
        await using var host = new McpHost(McpHostKind.Stateful).Says("one", "1");

        await _lab.List(host.Url, Token);

        var asked = host.Requests.Single(request => request.Body.Contains("\"initialize\"", StringComparison.Ordinal));
        Assert.Contains("\"capabilities\":{}", asked.Body, StringComparison.Ordinal);
        Assert.StartsWith("Tenon/", asked.Headers["User-Agent"], StringComparison.Ordinal);
        Assert.DoesNotContain("Authorization", asked.Headers.Keys, StringComparer.OrdinalIgnoreCase);
    }

    private static List<string> Sessions(McpHost host) =>
        [.. host.Requests.Select(request => request.Headers.GetValueOrDefault("Mcp-Session-Id") ?? "")
            .Where(id => id.Length > 0).Distinct()];
}
