using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Server.Billing;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// A thread as stored, of a session that has more than one: a projection of the log, saved whenever the thread's status
/// changes, so that threads are listed without reading the log.
/// </summary>
public sealed record ThreadRecord
{
    public required string SessionId { get; init; }

    public required string Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required string Status { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }

    public required ThreadDefinition Definition { get; init; }

    public required ThreadState State { get; init; }

    public static ThreadRecord Of(ThreadLog thread, DateTimeOffset now)
    {
        var usage = thread.History.Usage;
        return new ThreadRecord
        {
            SessionId = thread.SessionId,
            Id = thread.ThreadId,
            CreatedAt = thread.CreatedAt,
            Status = thread.History.Status,
            ArchivedAt = thread.ArchivedAt,
            Definition = new ThreadDefinition
            {
                Agent = thread.Started?.Agent,
                ParentId = thread.Started?.ParentId,
                WorkflowRunId = thread.Started?.WorkflowRunId,
            },
            State = new ThreadState
            {
                // A thread's cost has no running time: that is the session's (api H).
                Usage = usage.At(now.ToMicroseconds(), thread.Prices) with
                {
                    ListCost = Prices.ToMoney(usage.RequestsUsd(thread.Prices)),
                },
                IsActive = usage.RunningSince is not null,
                SavedAt = now,
            },
        };
    }

    public static ThreadRecord From(ThreadRow row) => new()
    {
        SessionId = row.Session,
        Id = row.Id,
        CreatedAt = Microseconds.FromMicroseconds(row.CreatedAt),
        Status = row.Status,
        ArchivedAt = row.ArchivedAt is { } at ? Microseconds.FromMicroseconds(at) : null,
        Definition = JsonSerializer.Deserialize(row.Definition, ThreadJson.Default.ThreadDefinition)!,
        State = JsonSerializer.Deserialize(row.State, ThreadJson.Default.ThreadState)!,
    };

    /// <param name="isNew">Whether there is no row yet, so that the definition is needed too.</param>
    public ThreadRow ToRow(bool isNew) => new()
    {
        Session = SessionId,
        Id = Id,
        CreatedAt = CreatedAt.ToMicroseconds(),
        Status = Status,
        ArchivedAt = ArchivedAt?.ToMicroseconds(),
        Definition = isNew ? JsonSerializer.Serialize(Definition, ThreadJson.Default.ThreadDefinition) : "",
        State = JsonSerializer.Serialize(State, ThreadJson.Default.ThreadState),
    };

    /// <summary>The wire form. Of a running thread the time goes on since it was saved.</summary>
    /// <param name="primary">The session's agent, for the primary thread.</param>
    public SessionThread ToWire(ThreadAgent primary, DateTimeOffset now)
    {
        var active = State.Usage.ActiveSeconds + (State.IsActive ? Seconds(now - State.SavedAt) : 0);
        return new SessionThread
        {
            Id = Id,
            SessionId = SessionId,
            ParentThreadId = Definition.ParentId,
            Agent = Definition.Agent ?? primary,
            Status = Status,
            Stats = new ThreadStats
            {
                ActiveSeconds = active, DurationSeconds = Seconds((ArchivedAt ?? now) - CreatedAt),
            },
            Usage = Status == SessionStatus.Running ? null : State.Usage,
            WorkflowRunId = Definition.WorkflowRunId,
            CreatedAt = CreatedAt,
            UpdatedAt = State.SavedAt,
            ArchivedAt = ArchivedAt,
        };
    }

    private static decimal Seconds(TimeSpan time) => (long)Math.Max(0, time.TotalMilliseconds) / 1_000m;
}

/// <summary>What never changes of a thread.</summary>
public sealed record ThreadDefinition
{
    /// <summary>Null for the primary thread, which has its session's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ThreadAgent? Agent { get; init; }

    public string? ParentId { get; init; }

    public string? WorkflowRunId { get; init; }
}

/// <summary>What changes with a thread's status.</summary>
public sealed record ThreadState
{
    public required SessionUsage Usage { get; init; }

    /// <summary>Whether active time was running when this was saved.</summary>
    public bool IsActive { get; init; }

    public required DateTimeOffset SavedAt { get; init; }
}

/// <summary>The JSON of a thread's row. It is read for ever: members are added, never changed.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(ThreadDefinition))]
[JsonSerializable(typeof(ThreadState))]
internal sealed partial class ThreadJson : JsonSerializerContext;
