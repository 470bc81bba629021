using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Wire.Agents;
using Tenon.Wire.Events;

namespace Tenon.Wire.Sessions;

/// <summary>A session: an agent at work, its log, its sandbox (api B.3, L.3).</summary>
public sealed record Session
{
    [JsonPropertyOrder(-2)]
    public string Type => "session";

    public required string Id { get; init; }

    /// <summary><c>idle running rescheduling terminated</c>.</summary>
    public required string Status { get; init; }

    public string? Title { get; init; }

    public required SessionAgent Agent { get; init; }

    public required string EnvironmentId { get; init; }

    public string? DeploymentId { get; init; }

    public IReadOnlyList<string> VaultIds { get; init => field = value ?? []; } = [];

    public IReadOnlyList<SessionResource> Resources { get; init => field = value ?? []; } = [];

    public Budget? Budget { get; init; }

    /// <summary>The outcomes that were defined, oldest first.</summary>
    public IReadOnlyList<OutcomeEvaluation> OutcomeEvaluations { get; init => field = value ?? []; } = [];

    public required SessionStats Stats { get; init; }

    public required SessionUsage Usage { get; init; }

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }
}

/// <summary>How far an outcome is.</summary>
public sealed record OutcomeEvaluation
{
    [JsonPropertyOrder(-2)]
    public string Type => "outcome_evaluation";

    public required string OutcomeId { get; init; }

    public required string Description { get; init; }

    /// <summary>
    /// <c>pending running evaluating</c>, and once it is over
    /// <c>satisfied max_iterations_reached failed interrupted</c>.
    /// </summary>
    public required string Result { get; init; }

    /// <summary>The grader's words of the last evaluation; null before the first one has ended.</summary>
    public string? Explanation { get; init; }

    public required int Iteration { get; init; }

    /// <summary>When it was over; null before.</summary>
    public DateTimeOffset? CompletedAt { get; init; }
}

/// <summary>The agent's version as the session pinned it, with the session's overrides applied.</summary>
public sealed record SessionAgent
{
    [JsonPropertyOrder(-2)]
    public string Type => "agent";

    public required string Id { get; init; }

    public required int Version { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }

    public string? System { get; init; }

    public required ModelConfig Model { get; init; }

    public IReadOnlyList<AgentTool> Tools { get; init => field = value ?? []; } = [];

    public IReadOnlyList<McpServer> McpServers { get; init => field = value ?? []; } = [];

    public IReadOnlyList<SkillReference> Skills { get; init => field = value ?? []; } = [];

    public JsonElement? Multiagent { get; init; }

    public ExecutionIdentity ExecutionIdentity { get; init => field = value ?? new(); } = new();

    public static SessionAgent From(Agent agent) => new()
    {
        Id = agent.Id,
        Version = agent.Version,
        Name = agent.Name,
        Description = agent.Description,
        System = agent.System,
        Model = agent.Model,
        Tools = agent.Tools,
        McpServers = agent.McpServers,
        Skills = agent.Skills,
        Multiagent = agent.Multiagent,
        ExecutionIdentity = agent.ExecutionIdentity,
    };
}

public sealed record SessionStats
{
    /// <summary>Seconds of running, summed over threads.</summary>
    public decimal ActiveSeconds { get; init; }

    /// <summary>Seconds since creation; frozen when the session is terminated.</summary>
    public decimal DurationSeconds { get; init; }
}

/// <summary>One strand of a session. The primary thread has no parent (api B.4).</summary>
public sealed record SessionThread
{
    [JsonPropertyOrder(-2)]
    public string Type => "session_thread";

    public required string Id { get; init; }

    public required string SessionId { get; init; }

    public string? ParentThreadId { get; init; }

    public required ThreadAgent Agent { get; init; }

    public required string Status { get; init; }

    /// <summary>Null until the thread's first change of status.</summary>
    public ThreadStats? Stats { get; init; }

    /// <summary>Null until the thread's first idle.</summary>
    public SessionUsage? Usage { get; init; }

    public string? WorkflowRunId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }
}

public sealed record ThreadStats
{
    public decimal ActiveSeconds { get; init; }

    public decimal DurationSeconds { get; init; }

    public decimal StartupSeconds { get; init; }
}

/// <summary>Body of <c>POST /v1/sessions</c>.</summary>
public sealed record SessionCreate
{
    public required AgentSelection Agent { get; init; }

    public required string EnvironmentId { get; init; }

    public string? Title { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>At most 500 files; all of them are there, or the session is not.</summary>
    public IReadOnlyList<ResourceCreate>? Resources { get; init; }

    public IReadOnlyList<string>? VaultIds { get; init; }

    /// <summary>At most 50 events; when there are any, the session starts <c>running</c>.</summary>
    public IReadOnlyList<SessionEvent>? InitialEvents { get; init; }

    public Budget? Budget { get; init; }
}

/// <summary>Body of <c>POST /v1/managed-agents/sessions</c>.</summary>
public sealed record AnnouncedSession
{
    public required string AgentId { get; init; }

    public required IReadOnlyList<AnnouncedMessage> Messages { get; init; }

    /// <summary>Null takes the default environment.</summary>
    public string? EnvironmentId { get; init; }
}

public sealed record AnnouncedMessage
{
    /// <summary><c>user</c>.</summary>
    public required string Role { get; init; }

    /// <summary>A text, or content blocks.</summary>
    public required JsonElement Content { get; init; }
}

/// <summary>Body of <c>POST /v1/sessions/{id}</c>.</summary>
public sealed record SessionUpdate
{
    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> Title { get; init; }

    /// <summary>A patch by key: a string sets, null deletes, a key left out stays.</summary>
    public IReadOnlyDictionary<string, string?>? Metadata { get; init; }

    public SessionAgentUpdate? Agent { get; init; }

    /// <summary>Replaces the budget that is there; null removes it for good.</summary>
    [JsonConverter(typeof(PatchConverter<Budget>))]
    public Patch<Budget> Budget { get; init; }

    public IReadOnlyList<string>? VaultIds { get; init; }
}

/// <summary>What an idle session may change of its agent; each list replaces the stored one.</summary>
public sealed record SessionAgentUpdate
{
    [JsonConverter(typeof(PatchConverter<IReadOnlyList<AgentTool>>))]
    public Patch<IReadOnlyList<AgentTool>> Tools { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<McpServer>>))]
    public Patch<IReadOnlyList<McpServer>> McpServers { get; init; }
}

/// <summary>Which agent a session runs: an id, a pinned version, or a version with overrides.</summary>
[JsonConverter(typeof(AgentSelectionConverter))]
public sealed record AgentSelection(AgentSelectionBody Body);

/// <summary>
/// The object form of <see cref="AgentSelection"/>: <c>agent</c>, or <c>agent_with_overrides</c> with any of the
/// patches.
/// </summary>
public sealed record AgentSelectionBody
{
    public required string Type { get; init; }

    public required string Id { get; init; }

    /// <summary>Null takes the newest version.</summary>
    public int? Version { get; init; }

    [JsonConverter(typeof(PatchConverter<ModelConfig>))]
    public Patch<ModelConfig> Model { get; init; }

    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> System { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<AgentTool>>))]
    public Patch<IReadOnlyList<AgentTool>> Tools { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<McpServer>>))]
    public Patch<IReadOnlyList<McpServer>> McpServers { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<SkillReference>>))]
    public Patch<IReadOnlyList<SkillReference>> Skills { get; init; }
}

public sealed class AgentSelectionConverter : ShorthandConverter<AgentSelection, AgentSelectionBody>
{
    protected override AgentSelection FromString(string text) =>
        new(new AgentSelectionBody { Type = "agent", Id = text });

    protected override AgentSelection FromBody(AgentSelectionBody body) => new(body);

    protected override AgentSelectionBody ToBody(AgentSelection value) => value.Body;
}
