using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tools;

namespace Tenon.Server.Harness;

/// <summary>A tool call of the newest answer, and how far it is.</summary>
public sealed record Call
{
    /// <summary>The id of its event on the wire, and of its receipt in the sandbox.</summary>
    public required string Id { get; init; }

    /// <summary>The provider's id, by which the model knows it.</summary>
    public required string ProviderId { get; init; }

    public required string Name { get; init; }

    public required JsonElement Input { get; init; }

    /// <summary>Whether it is a tool of the client's own.</summary>
    public bool IsCustom { get; set; }

    /// <summary>
    /// Whether the client runs it: its own tool, or a sandbox tool of a session in a <c>self_hosted</c> environment.
    /// </summary>
    public bool ClientRuns { get; set; }

    /// <summary>The tool of an MCP server that it calls; null for all others.</summary>
    public McpTarget? Mcp { get; set; }

    /// <summary>Whether it is one of the platform's own tools, which the harness itself answers.</summary>
    public bool IsPlatform { get; init; }

    /// <summary>The thread whose end it waits for; null when it waits for none.</summary>
    public string? AwaitsThread { get; set; }

    /// <summary><c>allow ask deny</c>, as first evaluated.</summary>
    public string Permission { get; set; } = "allow";

    /// <summary>Why it was refused before any policy, or what the client said when it denied it.</summary>
    public string? DenyMessage { get; set; }

    /// <summary>The client's word on a call that asks: true allows, false denies, null is none yet.</summary>
    public bool? Confirmed { get; set; }

    public ModelToolResult? Result { get; set; }

    public bool IsOpen => Result is null;

    public bool IsDenied => IsOpen && !IsCustom && (Permission == "deny" || Confirmed == false);

    /// <summary>Whether it may run beside others.</summary>
    public bool IsParallel => !IsPlatform && (Mcp is not null || BuiltinTools.IsParallel(Name));

    /// <summary>Whether the harness can move it on now.</summary>
    public bool CanRun => IsOpen && !WaitsForClient && AwaitsThread is null;

    /// <summary>Nothing but the client can move it on.</summary>
    public bool WaitsForClient => Awaits is not null;

    /// <summary>The type of the client's event that moves it on; null when none is needed (api C.5).</summary>
    public string? Awaits => this switch
    {
        { IsOpen: false } or { IsDenied: true } => null,
        { IsCustom: true } => "user.custom_tool_result",
        { Permission: "ask", Confirmed: null } => "user.tool_confirmation",
        { ClientRuns: true } => "user.tool_result",
        _ => null,
    };
}

/// <summary>A tool of an MCP server, by its own names.</summary>
/// <param name="CanRepeat">Whether the call may be made again when nobody knows what became of it.</param>
/// <param name="IsSandboxed">Whether it may change the sandbox's files.</param>
public sealed record McpTarget(string Server, string Tool, bool CanRepeat, bool IsSandboxed);
