using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Tenon.Server.Tests.Support;

public enum McpHostKind
{
    /// <summary>Streamable HTTP as the newest protocol has it: no sessions.</summary>
    Stateless,

    /// <summary>Streamable HTTP with sessions, as the protocol was before.</summary>
    Stateful,

    /// <summary>Only the transport before that: a stream of events, and posts beside it.</summary>
    Sse,
}

/// <summary>A real MCP server on an address of loopback, with the tools that a test gives it.</summary>
public sealed class McpHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, HostedTool> _tools = new();
    private readonly List<string> _order = [];
    private readonly ConcurrentQueue<string> _calls = new();
    private readonly ConcurrentQueue<PageRequest> _requests = new();
    private readonly McpHostKind _kind;
    private readonly TaskCompletionSource _takenBack = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="port">0 takes any.</param>
    public McpHost(McpHostKind kind = McpHostKind.Stateless, int port = 0)
    {
        _kind = kind;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://{PageHost.Address}:{port}");
        builder.Services.AddMcpServer(server =>
        {
            server.ServerInfo = new Implementation { Name = "host", Version = "1" };
            server.Handlers.ListToolsHandler = List;
            server.Handlers.CallToolHandler = Call;
        }).WithHttpTransport(http =>
        {
            http.Stateless = kind == McpHostKind.Stateless;
#pragma warning disable MCP9004 // Old servers are what is tried here.
            http.EnableLegacySse = kind == McpHostKind.Sse;
#pragma warning restore MCP9004
        });
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.Zero);
        _app = builder.Build();
        _app.Use(Note);
        _app.MapMcp("/mcp");
        _app.Start();
        Port = new Uri(_app.Urls.Single()).Port;
    }

    public int Port { get; }

    /// <summary>By a name that leads here where a test says so.</summary>
    public string Url => $"http://mcp.test:{Port}/mcp{(_kind == McpHostKind.Sse ? "/sse" : "")}";

    /// <summary>By its address, for servers that know no such names.</summary>
    public string AddressUrl => Url.Replace("mcp.test", $"{PageHost.Address}", StringComparison.Ordinal);

    /// <summary>Answers a request in the server's place; false leaves it to the server.</summary>
    public Func<HttpContext, Task<bool>> Before { get; set; } = _ => Task.FromResult(false);

    /// <summary>Tools on one page of the list.</summary>
    public int PageSize { get; set; } = 100;

    /// <summary>The names of the tools that were called, in order.</summary>
    public IReadOnlyList<string> Calls => [.. _calls];

    public IReadOnlyList<PageRequest> Requests => [.. _requests];

    /// <summary>
    /// Completes when a client has taken a call back, in the words of the protocol: without sessions it leaves the
    /// request, with them it says so.
    /// </summary>
    public Task TakenBack => _takenBack.Task;

    public McpHost Tool(
        string name, Func<CallToolRequestParams, CancellationToken, Task<CallToolResult>> run,
        ToolAnnotations? annotations = null, string? schema = null, string? description = null)
    {
        _tools[name] = new HostedTool(
            new Tool
            {
                Name = name,
                Description = description ?? $"Does {name}.",
                InputSchema = JsonElement.Parse(
                    schema ?? """{"type":"object","properties":{"text":{"type":"string"}}}"""),
                Annotations = annotations,
            }, run);
        _order.Remove(name);
        _order.Add(name);
        return this;
    }

    public McpHost Gives(string name, params IList<ContentBlock> content) =>
        Tool(name, (_, _) => Task.FromResult(new CallToolResult { Content = content }));

    public McpHost Says(string name, string text) => Gives(name, new TextContentBlock { Text = text });

    public void Remove(string name)
    {
        _tools.TryRemove(name, out _);
        _order.Remove(name);
    }

    /// <summary>A tool that does not answer before the test lets it.</summary>
    /// <returns>What completes when a call is there, and what lets it answer.</returns>
    public (Task Came, TaskCompletionSource Go) Holds(string name, ToolAnnotations? annotations = null)
    {
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Tool(name, async (_, cancelled) =>
        {
            came.TrySetResult();
            await go.Task.WaitAsync(cancelled);
            return new CallToolResult { Content = [new TextContentBlock { Text = $"{name} went on" }] };
        }, annotations);
        return (came.Task, go);
    }

    /// <summary>For <see cref="Before"/>: answers this status, or leaves the request to the server.</summary>
    public static Task<bool> Answer(HttpContext http, int? status, params (string Name, string Value)[] headers)
    {
        if (status is { } answered)
        {
            http.Response.StatusCode = answered;
            foreach (var (name, value) in headers)
            {
                http.Response.Headers[name] = value;
            }
        }

        return Task.FromResult(status is not null);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private ValueTask<ListToolsResult> List(RequestContext<ListToolsRequestParams> request, CancellationToken cancelled)
    {
        var from = request.Params?.Cursor is { } cursor ? int.Parse(cursor) : 0;
        var more = from + PageSize < _order.Count;
        return ValueTask.FromResult(new ListToolsResult
        {
            Tools = [.. _order.Skip(from).Take(PageSize).Select(name => _tools[name].Tool)],
            NextCursor = more ? $"{from + PageSize}" : null,
        });
    }

    private async ValueTask<CallToolResult> Call(
        RequestContext<CallToolRequestParams> request, CancellationToken cancelled)
    {
        _calls.Enqueue(request.Params!.Name);
        return _tools.TryGetValue(request.Params.Name, out var tool)
            ? await tool.Run(request.Params, cancelled)
            : throw new ModelContextProtocol.McpProtocolException(
                $"no tool {request.Params.Name}", ModelContextProtocol.McpErrorCode.InvalidParams);
    }

    private async Task Note(HttpContext http, RequestDelegate next)
    {
        http.Request.EnableBuffering();
        using var reader = new StreamReader(http.Request.Body, leaveOpen: true);
        var body = await reader.ReadToEndAsync();
        http.Request.Body.Position = 0;
        await using var gone = http.RequestAborted.UnsafeRegister(_ => TakeBack(McpHostKind.Stateless), null);
        if (body.Contains("notifications/cancelled", StringComparison.Ordinal))
        {
            TakeBack(McpHostKind.Stateful, McpHostKind.Sse);
        }

        _requests.Enqueue(new PageRequest(
            http.Request.Method, http.Request.Path + http.Request.QueryString, body,
            http.Request.Headers.ToDictionary(
                header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        if (!await Before(http))
        {
            await next(http);
        }
    }

    private void TakeBack(params ReadOnlySpan<McpHostKind> kinds)
    {
        if (kinds.Contains(_kind))
        {
            _takenBack.TrySetResult();
        }
    }

    private sealed record HostedTool(
        Tool Tool, Func<CallToolRequestParams, CancellationToken, Task<CallToolResult>> Run);
}
