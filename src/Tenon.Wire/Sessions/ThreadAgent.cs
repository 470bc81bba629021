using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Tenon.Wire.Agents;

namespace Tenon.Wire.Sessions;

/// <summary>Who works in a thread (api B.4): a saved agent, one that was made for it, or the advisor.</summary>
[JsonConverter(typeof(ThreadAgentConverter))]
public abstract record ThreadAgent
{
    /// <summary>The name of every advisor, which no other agent of a roster may have beside it.</summary>
    public const string AdvisorName = "anthropic.advisor";

    [JsonPropertyOrder(-2)]
    public abstract string Type { get; }

    /// <summary>By which others call it.</summary>
    [JsonIgnore]
    public abstract string CalledName { get; }
}

/// <summary>An agent with a definition of its own. It has no roster.</summary>
public abstract record DefinedAgent : ThreadAgent
{
    public required string Name { get; init; }

    public string? Description { get; init; }

    public required ModelConfig Model { get; init; }

    public string? System { get; init; }

    public IReadOnlyList<AgentTool> Tools { get; init => field = value ?? []; } = [];

    public IReadOnlyList<SkillReference> Skills { get; init => field = value ?? []; } = [];

    public IReadOnlyList<McpServer> McpServers { get; init => field = value ?? []; } = [];

    public ExecutionIdentity ExecutionIdentity { get; init => field = value ?? new(); } = new();

    [JsonIgnore]
    public override string CalledName => Name;
}

/// <summary>A saved agent's version, as it was when the session was made.</summary>
public sealed record SavedAgent : DefinedAgent
{
    [JsonPropertyOrder(-2)]
    public override string Type => "agent";

    [JsonPropertyOrder(-1)]
    public required string Id { get; init; }

    [JsonPropertyOrder(-1)]
    public required int Version { get; init; }

    public static SavedAgent From(SessionAgent agent) => new()
    {
        Id = agent.Id,
        Version = agent.Version,
        Name = agent.Name,
        Description = agent.Description,
        Model = agent.Model,
        System = agent.System,
        Tools = agent.Tools,
        Skills = agent.Skills,
        McpServers = agent.McpServers,
        ExecutionIdentity = agent.ExecutionIdentity,
    };
}

/// <summary>An agent that another one has made for the thread. It is not saved.</summary>
public sealed record InlineAgent : DefinedAgent
{
    [JsonPropertyOrder(-2)]
    public override string Type => "inline";
}

/// <summary>The model that the primary thread asks for advice.</summary>
public sealed record Advisor : ThreadAgent
{
    [JsonPropertyOrder(-2)]
    public override string Type => "advisor";

    /// <summary>The model's id.</summary>
    public required string Model { get; init; }

    [JsonIgnore]
    public override string CalledName => AdvisorName;
}

/// <summary>A kind of agent that this version does not know.</summary>
public sealed record UnknownThreadAgent(string UnknownType, JsonElement Body) : ThreadAgent
{
    public override string Type => UnknownType;

    public override string CalledName => UnknownType;
}

public sealed class ThreadAgentConverter : TaggedConverter<ThreadAgent>
{
    protected override JsonTypeInfo? Member(string type) => type switch
    {
        "agent" => WireJson.Default.SavedAgent,
        "inline" => WireJson.Default.InlineAgent,
        "advisor" => WireJson.Default.Advisor,
        _ => null,
    };

    protected override JsonTypeInfo? MemberOf(ThreadAgent value) =>
        value is UnknownThreadAgent ? null : Member(value.Type);

    protected override ThreadAgent Unknown(string type, JsonElement body) => new UnknownThreadAgent(type, body);

    protected override JsonElement Body(ThreadAgent unknown) => ((UnknownThreadAgent)unknown).Body;
}
