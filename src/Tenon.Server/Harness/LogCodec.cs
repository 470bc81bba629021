using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <summary>Events and internal records as entries of the log, and back.</summary>
internal static class LogCodec
{
    public static LogEntry Encode(object content, long seq, string thread, long at, Func<string> nextId)
    {
        return content switch
        {
            SessionEvent @event => Event(@event),
            // Clients see a thread's message when it is read: to them it has a time always.
            Waiting { Event: AgentThreadMessageReceived message } => Event(message, isInternal: true),
            Waiting waiting => Event(waiting.Event),
            ModelAnswer answer => Record(answer, LogTypes.ModelAnswer, LogJson.Default.ModelAnswer),
            SandboxOpened opened => Record(opened, LogTypes.SandboxOpened, LogJson.Default.SandboxOpened),
            ModelSwitched switched => Record(switched, LogTypes.ModelSwitched, LogJson.Default.ModelSwitched),
            Compacted compacted => Record(compacted, LogTypes.Compacted, LogJson.Default.Compacted),
            SnapshotTaken snapshot => Record(snapshot, LogTypes.Snapshot, LogJson.Default.SnapshotTaken),
            Forked forked => Record(forked, LogTypes.Forked, LogJson.Default.Forked),
            McpListed listed => Record(listed, LogTypes.McpListed, LogJson.Default.McpListed),
            McpSent sent => Record(sent, LogTypes.McpSent, LogJson.Default.McpSent),
            ThreadStarted started => Record(started, LogTypes.ThreadStarted, LogJson.Default.ThreadStarted),
            PlatformResult result => Record(result, LogTypes.PlatformResult, LogJson.Default.PlatformResult),
            Consulted consulted => Record(consulted, LogTypes.Consulted, LogJson.Default.Consulted),
            Told told => Record(told, LogTypes.Told, LogJson.Default.Told),
            WorkflowStarted run => Record(run, LogTypes.WorkflowStarted, LogJson.Default.WorkflowStarted),
            WorkflowResult result => Record(result, LogTypes.WorkflowResult, LogJson.Default.WorkflowResult),
            WorkflowRan ran => Record(ran, LogTypes.WorkflowRan, LogJson.Default.WorkflowRan),
            GraderAnswer answer => Record(answer, LogTypes.GraderAnswer, LogJson.Default.GraderAnswer),
            _ => throw new ArgumentException(
                $"{content.GetType().Name} is not something the log keeps.", nameof(content)),
        };

        LogEntry Event(SessionEvent @event, bool isInternal = false) => new(
            seq, thread, @event.Id!, @event.Type, at,
            JsonSerializer.Serialize(@event, WireJson.Default.SessionEvent), isInternal);

        LogEntry Record<T>(T record, string type, JsonTypeInfo<T> json) =>
            new(seq, thread, nextId(), type, at, JsonSerializer.Serialize(record, json), true);
    }

    public static object Decode(LogEntry entry) => entry.Type switch
    {
        LogTypes.ModelAnswer => JsonSerializer.Deserialize(entry.Body, LogJson.Default.ModelAnswer)!,
        LogTypes.SandboxOpened => JsonSerializer.Deserialize(entry.Body, LogJson.Default.SandboxOpened)!,
        LogTypes.ModelSwitched => JsonSerializer.Deserialize(entry.Body, LogJson.Default.ModelSwitched)!,
        LogTypes.Compacted => JsonSerializer.Deserialize(entry.Body, LogJson.Default.Compacted)!,
        LogTypes.Snapshot => JsonSerializer.Deserialize(entry.Body, LogJson.Default.SnapshotTaken)!,
        LogTypes.Forked => JsonSerializer.Deserialize(entry.Body, LogJson.Default.Forked)!,
        LogTypes.McpListed => JsonSerializer.Deserialize(entry.Body, LogJson.Default.McpListed)!,
        LogTypes.McpSent => JsonSerializer.Deserialize(entry.Body, LogJson.Default.McpSent)!,
        LogTypes.ThreadStarted => JsonSerializer.Deserialize(entry.Body, LogJson.Default.ThreadStarted)!,
        LogTypes.PlatformResult => JsonSerializer.Deserialize(entry.Body, LogJson.Default.PlatformResult)!,
        LogTypes.Consulted => JsonSerializer.Deserialize(entry.Body, LogJson.Default.Consulted)!,
        LogTypes.Told => JsonSerializer.Deserialize(entry.Body, LogJson.Default.Told)!,
        LogTypes.WorkflowStarted => JsonSerializer.Deserialize(entry.Body, LogJson.Default.WorkflowStarted)!,
        LogTypes.WorkflowResult => JsonSerializer.Deserialize(entry.Body, LogJson.Default.WorkflowResult)!,
        LogTypes.WorkflowRan => JsonSerializer.Deserialize(entry.Body, LogJson.Default.WorkflowRan)!,
        LogTypes.GraderAnswer => JsonSerializer.Deserialize(entry.Body, LogJson.Default.GraderAnswer)!,
        _ when entry.Type.StartsWith(LogTypes.Prefix, StringComparison.Ordinal) => entry,
        _ => JsonSerializer.Deserialize(entry.Body, WireJson.Default.SessionEvent)!,
    };

    /// <summary>Whether it changes what the row of its thread says.</summary>
    public static bool ChangesThread(object content) => content is ThreadStarted or ThreadStatusRunning
        or ThreadStatusIdle or ThreadStatusRescheduled or ThreadStatusTerminated;
}
