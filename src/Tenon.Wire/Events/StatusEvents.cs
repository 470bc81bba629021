using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Wire.Sessions;

namespace Tenon.Wire.Events;

public sealed record SessionStatusRunning : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.status_running";
}

public sealed record SessionStatusIdle : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.status_idle";

    public required StopReason StopReason { get; init; }

    /// <summary>Only with <c>refusal</c>; null otherwise.</summary>
    public StopDetails? StopDetails { get; init; }
}

/// <summary>A passing failure; the session tries again.</summary>
public sealed record SessionStatusRescheduled : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.status_rescheduled";
}

/// <summary>The session has ended for good.</summary>
public sealed record SessionStatusTerminated : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.status_terminated";
}

public sealed record SessionError : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.error";

    public required EventError Error { get; init; }
}

/// <summary>What went wrong (api C.6).</summary>
public sealed record EventError
{
    public required string Type { get; init; }

    public required string Message { get; init; }

    public required TypeOnlyStatus RetryStatus { get; init; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary><c>retrying</c>, <c>exhausted</c> or <c>terminal</c>.</summary>
public sealed record TypeOnlyStatus(string Type);

/// <summary>Only what changed is present.</summary>
public sealed record SessionUpdated : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.updated";

    /// <summary>Present, perhaps as null, when it changed.</summary>
    [JsonConverter(typeof(PatchConverter<string>))]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Patch<string> Title { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public SessionAgent? Agent { get; init; }

    /// <summary>Present when it changed; null says that it was removed.</summary>
    [JsonConverter(typeof(PatchConverter<Budget>))]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Patch<Budget> Budget { get; init; }
}

/// <summary>The last event of a session; the stream closes after it.</summary>
public sealed record SessionDeleted : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.deleted";
}

/// <summary>What the session has used; stands before every <c>session.status_idle</c>.</summary>
public sealed record SessionUsageEvent : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.usage";

    public required SessionUsage Usage { get; init; }

    /// <summary>The session's budget; null when it has none.</summary>
    public Budget? Budget { get; init; }
}

public sealed record SessionThreadCreated : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.thread_created";

    public required string SessionThreadId { get; init; }

    public required string AgentName { get; init; }

    public string? WorkflowRunId { get; init; }
}

public sealed record ThreadStatusRunning : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.thread_status_running";

    public required string SessionThreadId { get; init; }

    public required string AgentName { get; init; }
}

public sealed record ThreadStatusIdle : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.thread_status_idle";

    public required string SessionThreadId { get; init; }

    public required string AgentName { get; init; }

    public required StopReason StopReason { get; init; }

    public StopDetails? StopDetails { get; init; }
}

public sealed record ThreadStatusRescheduled : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.thread_status_rescheduled";

    public required string SessionThreadId { get; init; }

    public required string AgentName { get; init; }
}

public sealed record ThreadStatusTerminated : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "session.thread_status_terminated";

    public required string SessionThreadId { get; init; }

    public required string AgentName { get; init; }
}

/// <summary>Why a session or thread went idle (api C.3).</summary>
public sealed record StopReason
{
    /// <summary><c>end_turn requires_action retries_exhausted budget_reached refusal</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The calls that wait for the client; only with <c>requires_action</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? EventIds { get; init; }

    public static StopReason EndTurn { get; } = new() { Type = "end_turn" };

    public static StopReason RetriesExhausted { get; } = new() { Type = "retries_exhausted" };

    public static StopReason BudgetReached { get; } = new() { Type = "budget_reached" };

    public static StopReason Refusal { get; } = new() { Type = "refusal" };

    public static StopReason RequiresAction(IReadOnlyList<string> eventIds) =>
        new() { Type = "requires_action", EventIds = eventIds };
}

/// <summary>A refusal's category and explanation, as far as the model gave them.</summary>
public sealed record StopDetails
{
    public string Type => "refusal";

    public string? Category { get; init; }

    public string? Explanation { get; init; }
}
