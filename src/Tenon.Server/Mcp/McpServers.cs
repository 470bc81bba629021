using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web;
using Tenon.Wire;
using Tenon.Wire.Agents;

namespace Tenon.Server.Mcp;

/// <summary>
/// The MCP servers of all sessions, over HTTP and in sandboxes. A connection stays from turn to turn, so that a server
/// which keeps something for the session still has it after a call that asked; one that has rested for long is closed.
/// </summary>
public sealed partial class McpServers : IMcpServers, IAsyncDisposable
{
    private readonly McpNetwork _network;
    private readonly McpTokenOf _tokenOf;
    private readonly McpPrograms _programs;
    private readonly McpLimits _limits;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<(string Session, string Server), McpSlot> _slots = new();
    private readonly ITimer _sweeps;

    public McpServers(
        McpWays ways, McpLimits limits, TimeProvider clock, ILogger<McpServers> logger)
    {
        (_network, _tokenOf, _programs) = ways;
        (_limits, _clock, _logger) = (limits, clock, logger);
        _sweeps = clock.CreateTimer(_ => Sweep(), null, limits.SweepInterval, limits.SweepInterval);
    }

    public async Task<IReadOnlyList<McpListing>> List(
        string sessionId, IReadOnlyList<McpServer> servers, CancellationToken cancellationToken) =>
        await Task.WhenAll(servers.Select(server => List(sessionId, server, cancellationToken)));

    public async Task<McpAnswer> Call(McpCall call, CancellationToken cancellationToken)
    {
        if (call.Input.ValueKind != JsonValueKind.Object)
        {
            return new McpAnswer(ToolOutput.Error($"{call.Tool}: the input must be a JSON object."), null);
        }

        using var span = McpTrace.Start("tools/call", call.SessionId, call.Server.Name, call.Tool);
        using var time = new CancellationTokenSource(_limits.CallTimeMax, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        using var place = Enter(call.SessionId, call.Server);
        try
        {
            var result = await Call(place.Slot, call, either.Token);
            return new McpAnswer(McpResults.Of(result, _limits), null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (McpProtocolException exception)
        {
            // The server heard the call, and says what is wrong with it.
            return new McpAnswer(ToolOutput.Error(
                $"{call.Server.Name}: {TextCut.At(exception.Message, _limits.ErrorCharsMax)}"), null);
        }
        catch (Exception exception)
        {
            // What the outside world can make the client throw is no closed list. It is an answer, as any failure is.
            var cause = exception is McpUnreachedException ? exception.InnerException! : exception;
            var fault = McpReason.Of(call.Server.Name, cause, _limits.CallTimeMax, _limits);
            McpTrace.Fail(span, fault.Type, fault.Message);
            if (cause != exception || McpReason.WasNotSent(cause))
            {
                return new McpAnswer(ToolOutput.Error($"The call was not made. {fault.Message}"), fault);
            }

            var words = McpReason.Words(cause, _limits.CallTimeMax, _limits);
            return new McpAnswer(ToolOutput.Error(
                $"The MCP server '{call.Server.Name}' gave no result of {call.Tool}, so whether it took effect is "
                + $"unknown: {words} Check before you repeat it."), null);
        }
    }

    public async Task Close(string sessionId)
    {
        foreach (var (key, slot) in _slots.Where(slot => slot.Key.Session == sessionId))
        {
            slot.Retire();
            _slots.TryRemove(KeyValuePair.Create(key, slot));
            await slot.Close();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _sweeps.DisposeAsync();
        await Task.WhenAll(_slots.Keys.Select(key => key.Session).Distinct().Select(Close));
    }

    private async Task<McpListing> List(string sessionId, McpServer server, CancellationToken cancellationToken)
    {
        using var span = McpTrace.Start("tools/list", sessionId, server.Name);
        using var place = Enter(sessionId, server);
        var timeMax = TimeOf(server);
        try
        {
            if (server.IsStdio)
            {
                await _programs.Sandbox(sessionId, cancellationToken);
            }

            using var time = new CancellationTokenSource(timeMax, _clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
            var tools = await List(place.Slot, sessionId, server, either.Token);
            var offered = McpList.Of(server.Name, tools, _limits);
            if (offered.Count < tools.Count)
            {
                LogLeftOut(sessionId, server.Name, tools.Count - offered.Count);
            }

            return new McpListing(
                server.Name, [.. offered.Select(tool => tool with { IsSandboxed = server.IsStdio })], null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception)
        {
            // As above: whatever it is, the turn goes on without the server.
            await place.Slot.Close();
            var fault = McpReason.Of(server.Name, exception, timeMax, _limits);
            McpTrace.Fail(span, fault.Type, fault.Message);
            LogAway(sessionId, server.Name, fault.Message);
            return new McpListing(server.Name, [], fault);
        }
    }

    private async Task<IReadOnlyList<Tool>> List(
        McpSlot slot, string sessionId, McpServer server, CancellationToken cancellationToken)
    {
        var token = await TokenOf(sessionId, server, cancellationToken);
        if (slot.Kept(token) is { } kept)
        {
            try
            {
                return await kept.List(cancellationToken);
            }
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
            {
                // The server has been away meanwhile, and knows the connection no more. A new one says what is wrong.
                await slot.Close();
            }
        }

        return await (await slot.Open(() => Connect(sessionId, server, token, cancellationToken)))
            .List(cancellationToken);
    }

    private async Task<CallToolResult> Call(McpSlot slot, McpCall call, CancellationToken cancellationToken)
    {
        var connection = await Connected(slot, call, cancellationToken);
        try
        {
            return await connection.Call(call.Tool, call.Input, cancellationToken);
        }
        catch (HttpRequestException exception) when (exception.StatusCode == HttpStatusCode.NotFound)
        {
            // The protocol's word for a session that the server does not know: it has done nothing, and wants another.
            await slot.Close();
            connection = await Connected(slot, call, cancellationToken);
            return await connection.Call(call.Tool, call.Input, cancellationToken);
        }
    }

    /// <summary>The connection that is there, or a new one: a call may be the first to need it after a restart.
    /// </summary>
    /// <exception cref="McpUnreachedException">There is none to be had.</exception>
    private async Task<McpConnection> Connected(McpSlot slot, McpCall call, CancellationToken cancellationToken)
    {
        try
        {
            return slot.Kept() ?? await slot.Open(async () => await Connect(
                call.SessionId, call.Server,
                await TokenOf(call.SessionId, call.Server, cancellationToken), cancellationToken));
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new McpUnreachedException(exception);
        }
    }

    private async Task<McpConnection> Connect(
        string sessionId, McpServer server, string? token, CancellationToken cancellationToken) =>
        await McpConnection.Open(
            server.IsStdio
                ? await _programs.Start(sessionId, server, cancellationToken)
                : await HttpLink(sessionId, server.Url!, token, cancellationToken),
            TimeOf(server), _limits, cancellationToken);

    private async Task<IMcpLink> HttpLink(
        string sessionId, string url, string? token, CancellationToken cancellationToken)
    {
        var endpoint = new Uri(url);
        var requests = new McpRequests(
            _network, endpoint, (rejected, cancelled) => _tokenOf(sessionId, url, rejected, cancelled), _limits);
        return await McpHttpLink.Open(endpoint, token, requests, _limits, cancellationToken);
    }

    private async Task<string?> TokenOf(string sessionId, McpServer server, CancellationToken cancellationToken) =>
        server.IsStdio ? null : await _tokenOf(sessionId, server.Url!, null, cancellationToken);

    private TimeSpan TimeOf(McpServer server) => server.IsStdio ? _limits.ProgramTimeMax : _limits.ListTimeMax;

    // By the whole entry: the agents of two threads may mean different servers by a name, and an entry may change.
    private McpPlace Enter(string sessionId, McpServer server)
    {
        var key = (sessionId, JsonSerializer.Serialize(server, WireJson.Default.McpServer));
        while (true)
        {
            var slot = _slots.GetOrAdd(key, _ => new McpSlot(_clock));
            if (slot.TryEnter())
            {
                return new McpPlace(slot);
            }
        }
    }

    private void Sweep()
    {
        foreach (var (key, slot) in _slots)
        {
            if (slot.TryRetire(_limits.IdleMax) && _slots.TryRemove(KeyValuePair.Create(key, slot)))
            {
                _ = slot.Close();
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "{SessionId} goes on without the MCP server {Server}: {Reason}")]
    private partial void LogAway(string sessionId, string server, string reason);

    [LoggerMessage(LogLevel.Warning, "{SessionId} was not offered {Count} tools of the MCP server {Server}")]
    private partial void LogLeftOut(string sessionId, string server, int count);
}

/// <summary>The ways on which servers are reached.</summary>
/// <param name="TokenOf">What those over HTTP are asked with.</param>
public sealed record McpWays(McpNetwork Network, McpTokenOf TokenOf, McpPrograms Programs);

/// <summary>There was no connection to make a call over.</summary>
internal sealed class McpUnreachedException(Exception cause) : Exception(null, cause);
