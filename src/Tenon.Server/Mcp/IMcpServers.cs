using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Agents;

namespace Tenon.Server.Mcp;

/// <summary>The MCP servers of all sessions. Only the caller's own cancellation throws; all else is a value.</summary>
public interface IMcpServers
{
    /// <summary>What the servers offer now, in their order. Each is connected to if it is not yet.</summary>
    Task<IReadOnlyList<McpListing>> List(
        string sessionId, IReadOnlyList<McpServer> servers, CancellationToken cancellationToken);

    /// <summary>Makes a call once. Nobody keeps a receipt: a call that was cut short may have taken effect.</summary>
    Task<McpAnswer> Call(McpCall call, CancellationToken cancellationToken);

    /// <summary>Ends the session's connections. Does nothing for a session that has none.</summary>
    Task Close(string sessionId);
}

/// <param name="Fault">Why it cannot be used; null when it can.</param>
public sealed record McpListing(string Server, IReadOnlyList<McpTool> Tools, McpFault? Fault);

/// <param name="Tool">The tool's own name.</param>
/// <param name="Input">The model's input, as it came.</param>
public sealed record McpCall(string SessionId, McpServer Server, string Tool, JsonElement Input);

/// <param name="Output">What the model reads, also when the call could not be made.</param>
/// <param name="Fault">Why the server could not be used, when that is so.</param>
public sealed record McpAnswer(ToolOutput Output, McpFault? Fault);
