using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Tenon.Server.Mcp;

/// <summary>A connection to one server, by the protocol's official client.</summary>
/// <remarks>
/// The client gets no logger: what it would write has the server's words and ours in it. It offers the server nothing,
/// no sampling, no elicitation and no roots.
/// </remarks>
internal sealed class McpConnection : IAsyncDisposable
{
    private readonly IMcpLink _link;
    private readonly McpLimits _limits;
    private readonly McpClient _client;
    private int _lastCall;

    private McpConnection(IMcpLink link, McpClient client, McpLimits limits) =>
        (_link, _client, _limits) = (link, client, limits);

    /// <summary>Whether it is still good, as far as one knows without asking.</summary>
    public bool IsOpen => _link.Fault is null && !_client.Completion.IsCompleted;

    /// <param name="link">This connection's from here on, also when there comes to be none.</param>
    /// <param name="timeMax">For the server to greet.</param>
    public static async Task<McpConnection> Open(
        IMcpLink link, TimeSpan timeMax, McpLimits limits, CancellationToken cancellationToken)
    {
        await link.Begin();
        try
        {
            var client = await McpClient.CreateAsync(
                link.Transport,
                new McpClientOptions
                {
                    ClientInfo = new Implementation { Name = "tenon", Version = "1" },
                    InitializationTimeout = timeMax,
                    DiscoverProbeTimeout = limits.ProbeTimeMax,
                },
                cancellationToken: cancellationToken);
            return new McpConnection(link, client, limits);
        }
        catch (Exception) when (link.Fault is not null && !cancellationToken.IsCancellationRequested)
        {
            // The client goes on to other ways after one is closed, and reports the last.
            await link.DisposeAsync();
            throw link.Fault;
        }
        catch
        {
            await link.DisposeAsync();
            throw;
        }
        finally
        {
            link.End();
        }
    }

    // Versions are dates, and this one is the first that has neither a handshake nor sessions.
    private bool IsHandshaken => string.CompareOrdinal(_client.NegotiatedProtocolVersion, "2026-07-28") < 0;

    public bool Carries(string? token) => _link.Carries(token);

    /// <summary>The tools that the server has now, as far as they can be offered.</summary>
    public async Task<IReadOnlyList<Tool>> List(CancellationToken cancellationToken)
    {
        var tools = new List<Tool>();
        string? cursor = null;
        for (var page = 0; page < _limits.PagesMax && tools.Count < _limits.ToolsMax; page++)
        {
            var listed = await Checked(
                () => _client.ListToolsAsync(new ListToolsRequestParams { Cursor = cursor }, cancellationToken),
                cancellationToken);
            tools.AddRange(listed.Tools.Where(IsKnowable));
            if ((cursor = listed.NextCursor) is null)
            {
                break;
            }
        }

        return tools;
    }

    public async Task<CallToolResult> Call(string tool, JsonElement input, CancellationToken cancellationToken)
    {
        // By an id of ours, since only who knows it can take the call back.
        var id = new RequestId($"call-{Interlocked.Increment(ref _lastCall)}");
        try
        {
            var answer = await Checked(
                async () => await _client.SendRequestAsync(
                    new JsonRpcRequest
                    {
                        Id = id,
                        Method = RequestMethods.ToolsCall,
                        Params = new JsonObject
                        {
                            ["name"] = tool, ["arguments"] = JsonSerializer.SerializeToNode(input),
                        },
                    },
                    cancellationToken),
                cancellationToken);
            return answer.Result.Deserialize<CallToolResult>(McpJsonUtilities.DefaultOptions)
                ?? throw new JsonException("a result that is null");
        }
        catch (OperationCanceledException) when (IsHandshaken)
        {
            // A server of this protocol does not take the end of the request for the end of the call.
            _ = TakeBack(id);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The program of a sandbox that is frozen or gone takes no farewell: it ends with its link.
        await _client.DisposeAsync();
        await _link.DisposeAsync();
    }

    private async Task<T> Checked<T>(Func<ValueTask<T>> ask, CancellationToken cancellationToken)
    {
        await _link.Begin();
        try
        {
            return await ask();
        }
        catch (Exception exception) when (exception is not McpFaultException
            && _link.Fault is { Type: McpFault.Connection } && !cancellationToken.IsCancellationRequested)
        {
            // It was met by the reader of the answers, and not by who waits for one of them.
            throw _link.Fault;
        }
        finally
        {
            _link.End();
        }
    }

    private async Task TakeBack(RequestId id)
    {
        try
        {
            using var time = new CancellationTokenSource(_limits.CloseTimeMax);
            await _client.SendNotificationAsync(
                NotificationMethods.CancelledNotification, new CancelledNotificationParams { RequestId = id },
                cancellationToken: time.Token);
        }
        catch (Exception)
        {
            // It is a courtesy to the server: nobody waits for it any more.
        }
    }

    // Some tools have values of their input in headers, which the client must know before it calls them.
    private bool IsKnowable(Tool tool)
    {
        try
        {
            _client.AddKnownTools([tool]);
            return true;
        }
        catch (ArgumentException)
        {
            // The protocol says to leave out a tool that declares them wrongly.
            return false;
        }
    }
}
