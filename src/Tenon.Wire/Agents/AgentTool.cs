using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Tenon.Wire.Agents;

/// <summary>A group of tools, or one custom tool, that an agent may use (api B.1, tools union).</summary>
[JsonConverter(typeof(AgentToolConverter))]
public abstract record AgentTool
{
    [JsonPropertyOrder(-2)]
    public abstract string Type { get; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary>The built-in tools: <c>bash read write edit glob grep web_fetch web_search</c>.</summary>
public sealed record AgentToolset : AgentTool
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent_toolset_20260401";

    /// <summary>Every tool of the set.</summary>
    public static IReadOnlySet<string> ToolNames { get; } =
        new HashSet<string> { "bash", "edit", "read", "write", "glob", "grep", "web_fetch", "web_search" };

    /// <summary>For the tools without an entry of their own. Default: enabled, <c>always_allow</c>.</summary>
    public ToolDefaults? DefaultConfig { get; init; }

    public IReadOnlyList<ToolConfig>? Configs { get; init; }
}

/// <summary>The tools of one MCP server.</summary>
public sealed record McpToolset : AgentTool
{
    [JsonPropertyOrder(-3)]
    public override string Type => "mcp_toolset";

    public required string McpServerName { get; init; }

    /// <summary>For the tools without an entry of their own. Default: enabled, <c>always_ask</c>.</summary>
    public ToolDefaults? DefaultConfig { get; init; }

    public IReadOnlyList<ToolConfig>? Configs { get; init; }
}

/// <summary>A tool that the client runs.</summary>
public sealed record CustomTool : AgentTool
{
    [JsonPropertyOrder(-3)]
    public override string Type => "custom";

    public required string Name { get; init; }

    public required string Description { get; init; }

    /// <summary>JSON Schema of the input; its type is <c>object</c>.</summary>
    public required JsonElement InputSchema { get; init; }
}

/// <summary>A tool of a type this version does not know; refused in requests, kept in stored agents.</summary>
public sealed record UnknownTool(string UnknownType, JsonElement Body) : AgentTool
{
    [JsonPropertyOrder(-3)]
    public override string Type => UnknownType;
}

public sealed record ToolDefaults
{
    public bool? Enabled { get; init; }

    public PermissionPolicy? PermissionPolicy { get; init; }
}

/// <summary>
/// What differs from the default for one tool of a toolset. Fields of the web tools stand in <see cref="Extra"/>.
/// </summary>
public sealed record ToolConfig
{
    /// <summary>The built-in tool's name again; absent on MCP tools.</summary>
    [JsonPropertyOrder(-2)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Type { get; init; }

    public required string Name { get; init; }

    public bool? Enabled { get; init; }

    public PermissionPolicy? PermissionPolicy { get; init; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }
}

/// <summary>Whether a call runs at once, waits for the client, or is judged by the server.</summary>
public sealed record PermissionPolicy
{
    public const string AlwaysAllow = "always_allow";
    public const string AlwaysAsk = "always_ask";
    public const string Auto = "auto";

    public required string Type { get; init; }
}

public sealed class AgentToolConverter : TaggedConverter<AgentTool>
{
    protected override JsonTypeInfo? Member(string type) => type switch
    {
        "agent_toolset_20260401" => WireJson.Default.AgentToolset,
        "mcp_toolset" => WireJson.Default.McpToolset,
        "custom" => WireJson.Default.CustomTool,
        _ => null,
    };

    protected override JsonTypeInfo? MemberOf(AgentTool value) => value is UnknownTool ? null : Member(value.Type);

    protected override AgentTool Unknown(string type, JsonElement body) => new UnknownTool(type, body);

    protected override JsonElement Body(AgentTool unknown) => ((UnknownTool)unknown).Body;
}
