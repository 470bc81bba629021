using Tenon.Server.Billing;
using Tenon.Server.Storage;
using Tenon.Wire.Agents;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>One thread of a session's log: who works in it, its history, and appending to it.</summary>
public sealed class ThreadLog
{
    private SessionAgent? _agent;

    internal ThreadLog(SessionLog session, string threadId, ThreadStarted? started, DateTimeOffset createdAt)
    {
        (Session, ThreadId, Started, CreatedAt, UpdatedAt) = (session, threadId, started, createdAt, createdAt);
        History = new History(threadId, session.History);
    }

    public SessionLog Session { get; }

    public string SessionId => Session.SessionId;

    public string ThreadId { get; }

    /// <summary>How it began; null for the primary thread, which began with its session.</summary>
    public ThreadStarted? Started { get; }

    public bool IsPrimary => Started is null;

    public DateTimeOffset CreatedAt { get; }

    public DateTimeOffset UpdatedAt { get; private set; }

    public DateTimeOffset? ArchivedAt { get; private set; }

    /// <summary>What the log says of it.</summary>
    public History History { get; }

    public Prices Prices => Session.Prices;

    public DateTimeOffset Now => Session.Now;

    /// <summary>Whether the session's budget is used up.</summary>
    public bool IsAtBudget => Session.IsAtBudget;

    /// <summary>Who works in it.</summary>
    public SessionAgent Agent => IsPrimary ? Session.Agent() : _agent ??= Runnable(Started!.Agent);

    /// <summary>Whether it is the advisor's, which ends with its answer.</summary>
    public bool IsAdvisor => Started?.Agent is Advisor;

    /// <summary>Whether it is a part of a workflow run.</summary>
    public bool IsOfRun => Started?.WorkflowRunId is not null;

    public string NextId() => Session.NextId();

    public SessionEvent Stamp(SessionEvent @event) => Session.Stamp(@event);

    /// <summary>
    /// Appends to this thread; completes when that is durable. One that was ended while its turn ran says no more.
    /// </summary>
    public Task Append(params IReadOnlyList<object> contents) => History.Status == SessionStatus.Terminated
        ? Task.CompletedTask : Session.Append(this, contents, SaveKind.State);

    /// <summary>Its row as the history leaves it.</summary>
    /// <param name="isNew">Whether there is none yet: only then is what never changes of it written.</param>
    public ThreadRow ToRow(DateTimeOffset now, bool isNew) => ThreadRecord.Of(this, now).ToRow(isNew);

    internal void Apply(LogEntry entry, object content)
    {
        History.Apply(entry, content);
        UpdatedAt = Microseconds.FromMicroseconds(entry.At);
        if (History.Status == SessionStatus.Terminated)
        {
            ArchivedAt ??= UpdatedAt;
        }
    }

    // An agent that is not saved has no id, and no version.
    private static SessionAgent Runnable(ThreadAgent agent) => agent switch
    {
        DefinedAgent defined => new SessionAgent
        {
            Id = (defined as SavedAgent)?.Id ?? "",
            Version = (defined as SavedAgent)?.Version ?? 0,
            Name = defined.Name,
            Description = defined.Description,
            Model = defined.Model,
            System = defined.System,
            Tools = defined.Tools,
            Skills = defined.Skills,
            McpServers = defined.McpServers,
        },
        _ => new SessionAgent
        {
            Id = "",
            Version = 0,
            Name = agent.CalledName,
            Model = new ModelConfig { Id = (agent as Advisor)?.Model ?? "" },
            System = Consultation.System,
        },
    };
}
