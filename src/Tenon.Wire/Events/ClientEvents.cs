using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Wire.Content;

namespace Tenon.Wire.Events;

/// <summary>Starts a turn, or waits for the running one to end.</summary>
public sealed record UserMessage : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "user.message";

    /// <summary>Text, image and document blocks.</summary>
    public required IReadOnlyList<ContentBlock> Content { get; init; }
}

/// <summary>Stops what runs now; what waited behind it starts next.</summary>
public sealed record UserInterrupt : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "user.interrupt";

    /// <summary>Only this thread; absent means every thread.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

/// <summary>Allows or denies a call that waits for the client.</summary>
public sealed record UserToolConfirmation : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "user.tool_confirmation";

    public required string ToolUseId { get; init; }

    /// <summary><c>allow</c> or <c>deny</c>.</summary>
    public required string Result { get; init; }

    /// <summary>Told to the model; only with <c>deny</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? DenyMessage { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

/// <summary>What a client's own tool answered.</summary>
public sealed record UserCustomToolResult : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "user.custom_tool_result";

    public required string CustomToolUseId { get; init; }

    public IReadOnlyList<ContentBlock>? Content { get; init; }

    public bool? IsError { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

/// <summary>What a built-in tool answered in a client's own sandbox; only in <c>self_hosted</c> environments.</summary>
public sealed record UserToolResult : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "user.tool_result";

    public required string ToolUseId { get; init; }

    public IReadOnlyList<ContentBlock>? Content { get; init; }

    public bool? IsError { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SessionThreadId { get; init; }
}

/// <summary>Work towards a described outcome, graded against a rubric.</summary>
public sealed record UserDefineOutcome : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "user.define_outcome";

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? OutcomeId { get; init; }

    public required string Description { get; init; }

    public required JsonElement Rubric { get; init; }

    /// <summary>1 to 20; default 3.</summary>
    public int? MaxIterations { get; init; }
}

/// <summary>An instruction of the application that follows a message or a result.</summary>
public sealed record SystemMessage : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "system.message";

    /// <summary>Text blocks.</summary>
    public required IReadOnlyList<ContentBlock> Content { get; init; }
}
