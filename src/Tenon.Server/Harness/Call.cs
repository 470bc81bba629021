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

    /// <summary>Whether the client runs it.</summary>
    public bool IsCustom { get; set; }

    /// <summary><c>allow ask deny</c>, as first evaluated.</summary>
    public string Permission { get; set; } = "allow";

    /// <summary>Why it was refused before any policy, or what the client said when it denied it.</summary>
    public string? DenyMessage { get; set; }

    /// <summary>The client's word on a call that asks: true allows, false denies, null is none yet.</summary>
    public bool? Confirmed { get; set; }

    public ModelToolResult? Result { get; set; }

    public bool IsOpen => Result is null;

    /// <summary>Nothing but the client can move it on.</summary>
    public bool WaitsForClient => IsOpen && (IsCustom || (Permission == "ask" && Confirmed is null));

    public bool IsDenied => IsOpen && !IsCustom && (Permission == "deny" || Confirmed == false);
}
