using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Wire.Content;

namespace Tenon.Wire.Events;

/// <summary>What the model said in one request.</summary>
public sealed record AgentMessage : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.message";

    public required IReadOnlyList<ContentBlock> Content { get; init; }
}

/// <summary>The model thought before it spoke; the thought itself is not shown.</summary>
public sealed record AgentThinking : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.thinking";
}

/// <summary>The model calls a built-in tool.</summary>
public sealed record AgentToolUse : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.tool_use";

    public required string Name { get; init; }

    public required JsonElement Input { get; init; }

    /// <summary><c>allow ask deny</c>.</summary>
    public string? EvaluatedPermission { get; init; }

    /// <summary>How the permission came about; absent when the call was refused before any policy.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Evaluation? Evaluation { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

/// <summary>Which policy decided on a call, and for <c>auto</c> what the judge said.</summary>
public sealed record Evaluation
{
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public AutoPermission? EvaluatedPermission { get; init; }
}

public sealed record AutoPermission
{
    public required string Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ReasonCode { get; init; }
}

/// <summary>What a built-in tool answered.</summary>
public sealed record AgentToolResult : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.tool_result";

    public required string ToolUseId { get; init; }

    public IReadOnlyList<ContentBlock>? Content { get; init; }

    public bool? IsError { get; init; }
}

/// <summary>The model calls a tool of an MCP server.</summary>
public sealed record AgentMcpToolUse : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.mcp_tool_use";

    public required string McpServerName { get; init; }

    public required string Name { get; init; }

    public required JsonElement Input { get; init; }

    public string? EvaluatedPermission { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Evaluation? Evaluation { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

public sealed record AgentMcpToolResult : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.mcp_tool_result";

    public required string McpToolUseId { get; init; }

    public IReadOnlyList<ContentBlock>? Content { get; init; }

    public bool? IsError { get; init; }
}

/// <summary>The model calls a tool that the client runs and answers.</summary>
public sealed record AgentCustomToolUse : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.custom_tool_use";

    public required string Name { get; init; }

    public required JsonElement Input { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

public sealed record AgentThreadMessageSent : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.thread_message_sent";

    public required string ToSessionThreadId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ToAgentName { get; init; }

    public required IReadOnlyList<ContentBlock> Content { get; init; }
}

public sealed record AgentThreadMessageReceived : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.thread_message_received";

    public required string FromSessionThreadId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? FromAgentName { get; init; }

    public required IReadOnlyList<ContentBlock> Content { get; init; }
}

/// <summary>The thread's history was summarised to fit the model's window.</summary>
public sealed record AgentThreadContextCompacted : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "agent.thread_context_compacted";
}
