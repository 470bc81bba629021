using System.Text.Json;
using Tenon.Server.Models;

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

    /// <summary><c>allow ask deny</c>, as first evaluated.</summary>
    public string Permission { get; set; } = "allow";

    /// <summary>Why it was refused before any policy, or what the client said when it denied it.</summary>
    public string? DenyMessage { get; set; }

    /// <summary>The client's word on a call that asks: true allows, false denies, null is none yet.</summary>
    public bool? Confirmed { get; set; }

    public ModelToolResult? Result { get; set; }

    public bool IsOpen => Result is null;

    public bool IsDenied => IsOpen && !IsCustom && (Permission == "deny" || Confirmed == false);

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
