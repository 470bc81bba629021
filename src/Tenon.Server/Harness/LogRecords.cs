using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Server.Mcp;
using Tenon.Server.Models;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>The types of internal entries: what the harness must remember and no client sees.</summary>
public static class LogTypes
{
    /// <summary>What every one of them begins with.</summary>
    public const string Prefix = "internal.";

    public const string ModelAnswer = "internal.model_answer";
    public const string SandboxOpened = "internal.sandbox_opened";
    public const string ModelSwitched = "internal.model_switched";
    public const string Compacted = "internal.compacted";
    public const string Snapshot = "internal.snapshot";
    public const string Forked = "internal.forked";
    public const string McpListed = "internal.mcp_listed";
    public const string McpSent = "internal.mcp_sent";
    public const string ThreadStarted = "internal.thread_started";
    public const string PlatformResult = "internal.platform_result";
    public const string Consulted = "internal.consulted";
    public const string Told = "internal.told";
    public const string WorkflowStarted = "internal.workflow_started";
    public const string WorkflowResult = "internal.workflow_result";
    public const string WorkflowRan = "internal.workflow_ran";
    public const string GraderAnswer = "internal.grader_answer";
}

/// <summary>
/// An answer as the model gave it: thinking with signatures, and the provider's ids of its calls. It stands before the
/// events that show it, in the same append.
/// </summary>
public sealed record ModelAnswer
{
    public required string Model { get; init; }

    public required IReadOnlyList<ModelContent> Content { get; init; }

    /// <summary>The event ids of the calls in <see cref="Content"/>, in the same order.</summary>
    public required IReadOnlyList<string> CallIds { get; init; }

    /// <summary>Those of them that call the platform's own tools, which no event shows.</summary>
    public IReadOnlyList<string> PlatformCallIds { get; init => field = value ?? []; } = [];

    public required ModelUsage Usage { get; init; }

    /// <summary>Exact cost at list price, in US dollars; fixed here, so that a later price changes nothing.</summary>
    public required decimal CostUsd { get; init; }

    /// <summary>The model had no price then, so that a budget cannot measure the session any more.</summary>
    public bool IsUnpriced { get; init; }
}

/// <summary>From here on the session's calls go to this life of its sandbox.</summary>
public sealed record SandboxOpened(string Instance)
{
    /// <summary>
    /// What the model is told with the next result: what this life has of the one before. Null for the first life.
    /// </summary>
    public string? Notice { get; init; }

    /// <summary>The part of it that is about what was put into the sandbox, such as repositories.</summary>
    public string? Provision { get; init; }
}

/// <summary>The session's files were kept as they were at an earlier entry.</summary>
/// <param name="Id">The snapshot's name in the store of sandboxes.</param>
/// <param name="At">The sequence number at which they were so.</param>
public sealed record SnapshotTaken(string Id, long At)
{
    /// <summary>What every <see cref="Id"/> begins with.</summary>
    public const string IdPrefix = "snap_";
}

/// <summary>All before is the history of another session: what it used was that one's.</summary>
/// <param name="Session">The session that this one was forked from.</param>
/// <param name="At">The last entry of it that is here.</param>
/// <param name="Snapshot">The files that this one began with; null for none.</param>
public sealed record Forked(string Session, long At, string? Snapshot);

/// <summary>The turn's requests go to this model from here on: the tries of the one before are used up.</summary>
public sealed record ModelSwitched(string Model);

/// <summary>What the agent's MCP servers offer from here on, in their order.</summary>
public sealed record McpListed(IReadOnlyList<McpServerListed> Servers);

/// <param name="Name">The server's.</param>
/// <param name="Tools">Null when they are those of the last entry that has some; a list may be long.</param>
/// <param name="IsAway">It could not be asked: it offers nothing.</param>
public sealed record McpServerListed(string Name, IReadOnlyList<McpTool>? Tools, bool IsAway);

/// <summary>These calls may have reached their MCP server from here on. Nobody keeps receipts of them.</summary>
public sealed record McpSent(IReadOnlyList<string> CallIds);

/// <summary>A thread begins: the first entry of its own.</summary>
/// <param name="Agent">Who works in it, as it stays for the thread's life.</param>
/// <param name="ParentId">The thread that started it, and that it reports to.</param>
/// <param name="WorkflowRunId">The workflow run that it is a part of; null for none.</param>
public sealed record ThreadStarted(ThreadAgent Agent, string ParentId, string? WorkflowRunId);

/// <summary>What a call of one of the platform's own tools came to. Such calls are not shown (api C.9).</summary>
public sealed record PlatformResult(string CallId, string Text, bool IsError);

/// <summary>The call waits for this thread, the advisor's, to say what it has to say.</summary>
public sealed record Consulted(string CallId, string ThreadId);

/// <summary>What the platform itself says to the thread's model, and that the model is to answer.</summary>
public sealed record Told(string Text)
{
    /// <summary>
    /// Names it while it waits until the model is asked next: with the same name again it takes effect. Null takes
    /// effect at once.
    /// </summary>
    public string? Id { get; init; }

    public bool Waits { get; init; }

    /// <summary>The outcome that it is about; null when it is about none.</summary>
    public string? OutcomeId { get; init; }

    /// <summary>The name of what a thread is told that goes in circles.</summary>
    public const string Stuck = "stuck";
}

/// <summary>A workflow run begins: its plan.</summary>
/// <param name="Program">The body of a JavaScript function.</param>
public sealed record WorkflowStarted(
    string RunId, string Name, IReadOnlyList<WorkflowRunPhase> Phases, string Program);

/// <summary>What the thread of a workflow run came to: an entry of the thread itself.</summary>
public sealed record WorkflowResult(string RunId, string Text, bool IsError);

/// <summary>The program of a run has gone as far as so many results take it.</summary>
public sealed record WorkflowRan(string RunId, int Results);

/// <summary>What one request of an outcome's grader used. What it said is nobody's to see, and is not kept.</summary>
public sealed record GraderAnswer(ModelUsage Usage, decimal CostUsd)
{
    /// <summary>The model that graded has no price.</summary>
    public bool IsUnpriced { get; init; }
}

/// <summary>The conversation up to here is this summary and the newest messages.</summary>
public sealed record Compacted
{
    public required string Summary { get; init; }

    /// <summary>How many of the newest messages stay.</summary>
    public required int Kept { get; init; }

    public required ModelUsage Usage { get; init; }

    public required decimal CostUsd { get; init; }

    /// <summary>The model that summarised has no price.</summary>
    public bool IsUnpriced { get; init; }
}

/// <summary>The JSON of internal entries. They are read for ever: members are added, never changed.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowOutOfOrderMetadataProperties = true,
    Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(ModelAnswer))]
[JsonSerializable(typeof(SandboxOpened))]
[JsonSerializable(typeof(ModelSwitched))]
[JsonSerializable(typeof(Compacted))]
[JsonSerializable(typeof(SnapshotTaken))]
[JsonSerializable(typeof(Forked))]
[JsonSerializable(typeof(McpListed))]
[JsonSerializable(typeof(McpSent))]
[JsonSerializable(typeof(ThreadStarted))]
[JsonSerializable(typeof(PlatformResult))]
[JsonSerializable(typeof(Consulted))]
[JsonSerializable(typeof(Told))]
[JsonSerializable(typeof(WorkflowStarted))]
[JsonSerializable(typeof(WorkflowResult))]
[JsonSerializable(typeof(WorkflowRan))]
[JsonSerializable(typeof(GraderAnswer))]
internal sealed partial class LogJson : JsonSerializerContext;
