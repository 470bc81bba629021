using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Tenon.Server.Egress;
using Tenon.Server.Mcp;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// MCP servers as a Tenon server reaches them, whose operator lets through the one address that a <see cref="McpHost"/>
/// has. Names that end in <c>.test</c> lead there.
/// </summary>
public sealed class McpLab : IAsyncDisposable
{
    public const string SessionId = "sesn_lab";

    private readonly McpNetwork _network;

    public McpLab(
        McpLimits? limits = null, TimeProvider? clock = null, bool isOpen = true, ISandboxProvider? sandboxes = null)
    {
        Limits = limits ?? new McpLimits();
        var options = new EgressOptions
        {
            AllowedRanges = isOpen ? [new IPNetwork(PageHost.Address, 32)] : [],
        };
        _network = new McpNetwork(options, Resolve, Limits);
        var time = clock ?? TimeProvider.System;
        Servers = new McpServers(
            new McpWays(_network, (_, _, rejected, _) => Task.FromResult(Token(rejected)),
                new McpPrograms(sandboxes!, Limits, time)),
            Limits, time, NullLogger<McpServers>.Instance);
    }

    public McpLimits Limits { get; }

    public McpServers Servers { get; }

    /// <summary>What the vaults have, given the token that was rejected.</summary>
    public Func<string?, string?> Token { get; set; } = _ => null;

    /// <summary>What names lead to, where it is not the hosts of tests.</summary>
    public Dictionary<string, IPAddress> Names { get; } = [];

    public static McpServer Server(string url, string name = "s") => new() { Type = "url", Name = name, Url = url };

    public async Task<McpListing> List(string url, CancellationToken cancellationToken) =>
        (await Servers.List(SessionId, [Server(url)], cancellationToken)).Single();

    public async Task<ToolOutput> Call(
        string url, string tool, CancellationToken cancellationToken, string input = "{}") =>
        (await Servers.Call(new McpCall(SessionId, Server(url), tool, JsonElement.Parse(input)), cancellationToken))
        .Output;

    /// <summary>All text of a result.</summary>
    public static string Text(ToolOutput output) => string.Concat(output.Content.Select(block => block switch
    {
        TextBlock text => text.Text,
        DocumentBlock document => document.Source.Data,
        _ => "",
    }));

    public async ValueTask DisposeAsync()
    {
        await Servers.DisposeAsync();
        _network.Dispose();
    }

    private Task<IPAddress[]> Resolve(string host, CancellationToken cancellationToken) =>
        Names.TryGetValue(host, out var address) ? Task.FromResult<IPAddress[]>([address])
        : IPAddress.TryParse(host, out var literal) ? Task.FromResult<IPAddress[]>([literal])
        : host.EndsWith(".test", StringComparison.Ordinal) ? Task.FromResult<IPAddress[]>([PageHost.Address])
        : throw new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.HostNotFound);
}
