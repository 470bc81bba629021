using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Tenon.Wire.Events;

/// <summary>Knows the contract of every event type of api section C.</summary>
public sealed class SessionEventConverter : TaggedConverter<SessionEvent>
{
    /// <summary>Every event type this version knows, in the order of api section C.</summary>
    public static IReadOnlyList<string> KnownTypes { get; } =
    [
        "user.message",
        "user.interrupt",
        "user.tool_confirmation",
        "user.custom_tool_result",
        "user.tool_result",
        "user.define_outcome",
        "system.message",
        "agent.message",
        "agent.thinking",
        "agent.tool_use",
        "agent.tool_result",
        "agent.mcp_tool_use",
        "agent.mcp_tool_result",
        "agent.custom_tool_use",
        "agent.thread_message_sent",
        "agent.thread_message_received",
        "agent.thread_context_compacted",
        "session.status_running",
        "session.status_idle",
        "session.status_rescheduled",
        "session.status_terminated",
        "session.error",
        "session.updated",
        "session.deleted",
        "session.usage",
        "session.thread_created",
        "session.thread_status_running",
        "session.thread_status_idle",
        "session.thread_status_rescheduled",
        "session.thread_status_terminated",
        "span.model_request_start",
        "span.model_request_end",
        "span.outcome_evaluation_start",
        "span.outcome_evaluation_ongoing",
        "span.outcome_evaluation_end",
        "workflow_run.created",
        "workflow_run.status_running",
        "workflow_run.status_idle",
        "workflow_run.phase_started",
        "workflow_run.phase_ended",
        "workflow_run.error",
        "workflow_run.status_ended",
    ];

    protected override JsonTypeInfo? Member(string type) => type switch
    {
        "user.message" => WireJson.Default.UserMessage,
        "user.interrupt" => WireJson.Default.UserInterrupt,
        "user.tool_confirmation" => WireJson.Default.UserToolConfirmation,
        "user.custom_tool_result" => WireJson.Default.UserCustomToolResult,
        "user.tool_result" => WireJson.Default.UserToolResult,
        "user.define_outcome" => WireJson.Default.UserDefineOutcome,
        "system.message" => WireJson.Default.SystemMessage,
        "agent.message" => WireJson.Default.AgentMessage,
        "agent.thinking" => WireJson.Default.AgentThinking,
        "agent.tool_use" => WireJson.Default.AgentToolUse,
        "agent.tool_result" => WireJson.Default.AgentToolResult,
        "agent.mcp_tool_use" => WireJson.Default.AgentMcpToolUse,
        "agent.mcp_tool_result" => WireJson.Default.AgentMcpToolResult,
        "agent.custom_tool_use" => WireJson.Default.AgentCustomToolUse,
        "agent.thread_message_sent" => WireJson.Default.AgentThreadMessageSent,
        "agent.thread_message_received" => WireJson.Default.AgentThreadMessageReceived,
        "agent.thread_context_compacted" => WireJson.Default.AgentThreadContextCompacted,
        "session.status_running" => WireJson.Default.SessionStatusRunning,
        "session.status_idle" => WireJson.Default.SessionStatusIdle,
        "session.status_rescheduled" => WireJson.Default.SessionStatusRescheduled,
        "session.status_terminated" => WireJson.Default.SessionStatusTerminated,
        "session.error" => WireJson.Default.SessionError,
        "session.updated" => WireJson.Default.SessionUpdated,
        "session.deleted" => WireJson.Default.SessionDeleted,
        "session.usage" => WireJson.Default.SessionUsageEvent,
        "session.thread_created" => WireJson.Default.SessionThreadCreated,
        "session.thread_status_running" => WireJson.Default.ThreadStatusRunning,
        "session.thread_status_idle" => WireJson.Default.ThreadStatusIdle,
        "session.thread_status_rescheduled" => WireJson.Default.ThreadStatusRescheduled,
        "session.thread_status_terminated" => WireJson.Default.ThreadStatusTerminated,
        "span.model_request_start" => WireJson.Default.ModelRequestStart,
        "span.model_request_end" => WireJson.Default.ModelRequestEnd,
        "span.outcome_evaluation_start" => WireJson.Default.OutcomeEvaluationStart,
        "span.outcome_evaluation_ongoing" => WireJson.Default.OutcomeEvaluationOngoing,
        "span.outcome_evaluation_end" => WireJson.Default.OutcomeEvaluationEnd,
        "workflow_run.created" => WireJson.Default.WorkflowRunCreated,
        "workflow_run.status_running" => WireJson.Default.WorkflowRunStatusRunning,
        "workflow_run.status_idle" => WireJson.Default.WorkflowRunStatusIdle,
        "workflow_run.phase_started" => WireJson.Default.WorkflowRunPhaseStarted,
        "workflow_run.phase_ended" => WireJson.Default.WorkflowRunPhaseEnded,
        "workflow_run.error" => WireJson.Default.WorkflowRunError,
        "workflow_run.status_ended" => WireJson.Default.WorkflowRunStatusEnded,
        _ => null,
    };

    protected override JsonTypeInfo? MemberOf(SessionEvent value) => value is UnknownEvent ? null : Member(value.Type);

    protected override SessionEvent Unknown(string type, JsonElement body) => new UnknownEvent(type, body);

    protected override JsonElement Body(SessionEvent unknown) => ((UnknownEvent)unknown).Body;
}
