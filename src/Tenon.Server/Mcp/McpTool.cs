using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Server.Mcp;

/// <summary>
/// A tool as its server lists it. It is stored in the log as part of an internal entry, so its JSON never changes
/// meaning.
/// </summary>
/// <param name="Server">The server's name in the agent.</param>
/// <param name="Name">The tool's own name.</param>
/// <param name="Offered">The name by which models know it: <see cref="McpToolName"/>.</param>
public sealed record McpTool(string Server, string Name, string Offered, string Description, JsonElement InputSchema)
{
    /// <summary>
    /// The server says that the call changes nothing, or that a second one changes nothing more: it may be made again
    /// when nobody knows what became of the first.
    /// </summary>
    public bool CanRepeat { get; init; }

    /// <summary>Its server is a program in the session's sandbox, so that a call may change files there.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsSandboxed { get; init; }
}
