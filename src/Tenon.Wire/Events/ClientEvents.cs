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

    /// <summary>Given by the server when it accepts the outcome; what a client sends here counts for nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? OutcomeId { get; init; }

    /// <summary>What the agent is to produce: the task itself.</summary>
    public required string Description { get; init; }

    public required OutcomeRubric Rubric { get; init; }

    /// <summary>How often the work is evaluated at most: 1 to 20; default 3.</summary>
    public int? MaxIterations { get; init; }
}

/// <summary>How an outcome is graded: freeform text, or a file of it. The log has the text of both.</summary>
public sealed record OutcomeRubric
{
    /// <summary><c>text</c> or <c>file</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Of <c>text</c>: at most 262144 characters.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Content { get; init; }

    /// <summary>Of <c>file</c>: a text in UTF-8.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? FileId { get; init; }
}

/// <summary>An instruction of the application that follows a message or a result.</summary>
public sealed record SystemMessage : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "system.message";

    /// <summary>Text blocks.</summary>
    public required IReadOnlyList<ContentBlock> Content { get; init; }
}
