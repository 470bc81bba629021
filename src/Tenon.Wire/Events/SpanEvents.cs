using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Wire.Events;

/// <summary>A request to the model begins.</summary>
public sealed record ModelRequestStart : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "span.model_request_start";
}

/// <summary>A request to the model ended; always sent, also after an interrupt or an error.</summary>
public sealed record ModelRequestEnd : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "span.model_request_end";

    public required string ModelRequestStartId { get; init; }

    public bool? IsError { get; init; }

    public required RequestUsage ModelUsage { get; init; }
}

/// <summary>Tokens of one request.</summary>
public sealed record RequestUsage
{
    public long InputTokens { get; init; }

    public long OutputTokens { get; init; }

    public long CacheCreationInputTokens { get; init; }

    public long CacheReadInputTokens { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Speed { get; init; }
}

/// <summary>A grader begins to evaluate the work towards an outcome.</summary>
public sealed record OutcomeEvaluationStart : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "span.outcome_evaluation_start";

    public required string OutcomeId { get; init; }

    /// <summary>Evaluations of the outcome that came before this one.</summary>
    public required int Iteration { get; init; }
}

/// <summary>The grader is still at work.</summary>
public sealed record OutcomeEvaluationOngoing : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "span.outcome_evaluation_ongoing";

    public required string OutcomeId { get; init; }

    public required int Iteration { get; init; }
}

/// <summary>An evaluation has ended, or an interrupt has ended the outcome.</summary>
public sealed record OutcomeEvaluationEnd : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "span.outcome_evaluation_end";

    /// <summary>Empty when an interrupt came before any evaluation of this iteration began.</summary>
    public required string OutcomeEvaluationStartId { get; init; }

    public required string OutcomeId { get; init; }

    public required int Iteration { get; init; }

    /// <summary><c>satisfied needs_revision max_iterations_reached failed interrupted</c>.</summary>
    public required string Result { get; init; }

    public required string Explanation { get; init; }

    /// <summary>All requests of the evaluation together.</summary>
    public required RequestUsage Usage { get; init; }
}

public sealed record WorkflowRunCreated : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.created";

    public required string WorkflowRunId { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }

    public required IReadOnlyList<WorkflowRunPhase> Phases { get; init; }
}

public sealed record WorkflowRunPhase
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }
}

public sealed record WorkflowRunStatusRunning : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.status_running";

    public required string WorkflowRunId { get; init; }
}

public sealed record WorkflowRunStatusIdle : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.status_idle";

    public required string WorkflowRunId { get; init; }
}

public sealed record WorkflowRunPhaseStarted : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.phase_started";

    public required string WorkflowRunId { get; init; }

    public required string WorkflowRunPhaseId { get; init; }
}

public sealed record WorkflowRunPhaseEnded : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.phase_ended";

    public required string WorkflowRunId { get; init; }

    public required string WorkflowRunPhaseId { get; init; }

    public required string PhaseStartedId { get; init; }
}

public sealed record WorkflowRunError : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.error";

    public string? WorkflowRunId { get; init; }

    public required JsonElement Error { get; init; }
}

public sealed record WorkflowRunStatusEnded : SessionEvent
{
    [JsonPropertyOrder(-3)]
    public override string Type => "workflow_run.status_ended";

    public required string WorkflowRunId { get; init; }

    public required JsonElement Result { get; init; }
}
