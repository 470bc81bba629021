using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Wire.Agents;

/// <summary>An agent as stored: one version of it, every field present (api B.1, L.1).</summary>
public sealed record Agent
{
    [JsonPropertyOrder(-2)]
    public string Type => "agent";

    public required string Id { get; init; }

    /// <summary>Counts from 1; every effective update adds one.</summary>
    public required int Version { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }

    public string? System { get; init; }

    public required ModelConfig Model { get; init; }

    public IReadOnlyList<AgentTool> Tools { get; init => field = value ?? []; } = [];

    public IReadOnlyList<McpServer> McpServers { get; init => field = value ?? []; } = [];

    public IReadOnlyList<SkillReference> Skills { get; init => field = value ?? []; } = [];

    /// <summary>The roster (api B.2), kept as it came.</summary>
    public JsonElement? Multiagent { get; init; }

    public ExecutionIdentity ExecutionIdentity { get; init => field = value ?? new(); } = new();

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }
}

public sealed record McpServer
{
    public const string UrlType = "url";

    /// <summary>A program in the session's sandbox: an extension of Tenon.</summary>
    public const string StdioType = "stdio";

    public required string Type { get; init; }

    public required string Name { get; init; }

    /// <summary>Of a <c>url</c> server.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Url { get; init; }

    /// <summary>Of a <c>stdio</c> server: a path in the sandbox, or a name on its <c>PATH</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Command { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>Variables beyond the sandbox's own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    [JsonIgnore]
    public bool IsStdio => Type == StdioType;
}

public sealed record SkillReference
{
    /// <summary><c>anthropic</c> (a skill that ships with the server) or <c>custom</c>.</summary>
    public required string Type { get; init; }

    public required string SkillId { get; init; }

    public string? Version { get; init; }
}

public sealed record ExecutionIdentity
{
    /// <summary><c>service_account</c> (default) or <c>aws_role</c>.</summary>
    public string Type { get; init => field = value ?? "service_account"; } = "service_account";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? RoleArn { get; init; }
}

/// <summary>Body of <c>POST /v1/agents</c>.</summary>
public sealed record AgentCreate
{
    public required string Name { get; init; }

    public required ModelConfig Model { get; init; }

    public string? Description { get; init; }

    public string? System { get; init; }

    public IReadOnlyList<AgentTool>? Tools { get; init; }

    public IReadOnlyList<McpServer>? McpServers { get; init; }

    public IReadOnlyList<SkillReference>? Skills { get; init; }

    public JsonElement? Multiagent { get; init; }

    public ExecutionIdentity? ExecutionIdentity { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>Body of <c>POST /v1/agents/{id}</c>: a field left out keeps its value.</summary>
public sealed record AgentUpdate
{
    /// <summary>The version the client saw; another one now is a conflict, also for a change without effect.</summary>
    public int? Version { get; init; }

    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> Name { get; init; }

    [JsonConverter(typeof(PatchConverter<ModelConfig>))]
    public Patch<ModelConfig> Model { get; init; }

    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> Description { get; init; }

    [JsonConverter(typeof(PatchConverter<string>))]
    public Patch<string> System { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<AgentTool>>))]
    public Patch<IReadOnlyList<AgentTool>> Tools { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<McpServer>>))]
    public Patch<IReadOnlyList<McpServer>> McpServers { get; init; }

    [JsonConverter(typeof(PatchConverter<IReadOnlyList<SkillReference>>))]
    public Patch<IReadOnlyList<SkillReference>> Skills { get; init; }

    [JsonConverter(typeof(PatchConverter<JsonElement>))]
    public Patch<JsonElement> Multiagent { get; init; }

    [JsonConverter(typeof(PatchConverter<ExecutionIdentity>))]
    public Patch<ExecutionIdentity> ExecutionIdentity { get; init; }

    /// <summary>A patch by key: a string sets, null deletes, a key left out stays.</summary>
    public IReadOnlyDictionary<string, string?>? Metadata { get; init; }
}
