using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Server.Billing;
using Tenon.Server.Harness;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>A session as stored: what it was made with, and the projection of its log as of the last append.</summary>
public sealed record SessionRecord
{
    public required string Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The primary thread.</summary>
    public required string ThreadId { get; init; }

    public required string EnvironmentId { get; init; }

    public required string Status { get; init; }

    public DateTimeOffset? ArchivedAt { get; init; }

    public required SessionDefinition Definition { get; init; }

    public required SessionState State { get; init; }

    /// <param name="definition">The definition's own JSON; empty when it is not saved.</param>
    public SessionRow ToRow(string definition) => new()
    {
        Id = Id,
        CreatedAt = CreatedAt.ToMicroseconds(),
        ThreadId = ThreadId,
        AgentId = Definition.Agent.Id,
        AgentVersion = Definition.Agent.Version,
        EnvironmentId = EnvironmentId,
        Status = Status,
        ArchivedAt = ArchivedAt?.ToMicroseconds(),
        Definition = definition,
        State = JsonSerializer.Serialize(State, SessionJson.Default.SessionState),
    };

    public static SessionRecord From(SessionRow row) => new()
    {
        Id = row.Id,
        CreatedAt = Microseconds.FromMicroseconds(row.CreatedAt),
        ThreadId = row.ThreadId,
        EnvironmentId = row.EnvironmentId,
        Status = row.Status,
        ArchivedAt = row.ArchivedAt is { } at ? Microseconds.FromMicroseconds(at) : null,
        Definition = JsonSerializer.Deserialize(row.Definition, SessionJson.Default.SessionDefinition)!,
        State = JsonSerializer.Deserialize(row.State, SessionJson.Default.SessionState)!,
    };

    /// <summary>The record as the history leaves it at <paramref name="now"/>.</summary>
    public SessionRecord After(SessionHistory history, DateTimeOffset now, Prices prices) => this with
    {
        Status = history.Status,
        State = State with
        {
            Usage = history.Usage.At(now.ToMicroseconds(), prices),
            RequestsUsd = history.Usage.RequestsUsd(prices),
            SessionHourUsd = prices.SessionHour,
            IsActive = history.Usage.RunningSince is not null,
            HasRun = State.HasRun || history.Status != SessionStatus.Idle,
            Outcomes = history.Outcomes.Evaluations,
            SavedAt = now,
        },
    };

    /// <summary>The wire form. Of a running session the time, and its cost, go on since the last append.</summary>
    public Session ToWire(DateTimeOffset now)
    {
        var active = ActiveSeconds(now);
        var usage = State.Usage with { ActiveSeconds = active };
        if (State.RequestsUsd is { } requests)
        {
            var running = Prices.RunningUsd((long)(active * 1_000), State.SessionHourUsd);
            usage = usage with { ListCost = Prices.ToMoney(requests + running) };
        }

        return new Session
        {
            Id = Id,
            Status = Status,
            Title = Definition.Title,
            Agent = Definition.Agent,
            EnvironmentId = EnvironmentId,
            Resources = Definition.AllResources,
            VaultIds = Definition.VaultIds,
            Budget = Definition.Budget,
            OutcomeEvaluations = State.Outcomes,
            Stats = new SessionStats { ActiveSeconds = usage.ActiveSeconds, DurationSeconds = DurationSeconds(now) },
            Usage = usage,
            Metadata = Definition.Metadata,
            CreatedAt = CreatedAt,
            UpdatedAt = State.SavedAt,
            ArchivedAt = ArchivedAt,
        };
    }

    /// <summary>The primary thread's wire form, while it is the only one.</summary>
    public SessionThread ToThread(DateTimeOffset now) => new()
    {
        Id = ThreadId,
        SessionId = Id,
        Agent = SavedAgent.From(Definition.Agent),
        Status = Status,
        Stats = State.HasRun
            ? new ThreadStats { ActiveSeconds = ActiveSeconds(now), DurationSeconds = DurationSeconds(now) }
            : null,
        Usage = State.HasRun && Status != SessionStatus.Running ? ThreadUsage : null,
        CreatedAt = CreatedAt,
        UpdatedAt = State.SavedAt,
        ArchivedAt = ArchivedAt,
    };

    // A thread's cost has no running time: that is the session's (api H).
    private SessionUsage ThreadUsage => State.RequestsUsd is { } requests
        ? State.Usage with { ListCost = Prices.ToMoney(requests) }
        : State.Usage;

    private decimal ActiveSeconds(DateTimeOffset now) =>
        State.Usage.ActiveSeconds + (State.IsActive ? Seconds(now - State.SavedAt) : 0);

    private decimal DurationSeconds(DateTimeOffset now) => Seconds((ArchivedAt ?? now) - CreatedAt);

    private static decimal Seconds(TimeSpan time) => (long)Math.Max(0, time.TotalMilliseconds) / 1_000m;
}

/// <summary>What changes rarely.</summary>
public sealed record SessionDefinition
{
    public required SessionAgent Agent { get; init; }

    public string? Title { get; init; }

    public Budget? Budget { get; init; }

    /// <summary>Its environment is <c>self_hosted</c>, which an environment never stops to be.</summary>
    public bool IsSelfHosted { get; init; }

    /// <summary>The bounds that its agents have of their own, by the agents' ids.</summary>
    public IReadOnlyDictionary<string, AgentLimits> Limits
    {
        get;
        init => field = value ?? new Dictionary<string, AgentLimits>();
    } = new Dictionary<string, AgentLimits>();

    /// <summary>The vaults whose credentials it may use; an earlier one goes before a later one.</summary>
    public IReadOnlyList<string> VaultIds { get; init => field = value ?? []; } = [];

    /// <summary>
    /// What the agent's skills said of themselves when the session was made, so that its prompt never changes.
    /// </summary>
    public IReadOnlyList<SessionSkill> Skills { get; init => field = value ?? []; } = [];

    /// <summary>Its files.</summary>
    public IReadOnlyList<FileResource> Resources { get; init => field = value ?? []; } = [];

    public IReadOnlyList<RepositoryResource> Repositories { get; init => field = value ?? []; } = [];

    public IReadOnlyList<MemoryResource> Memories { get; init => field = value ?? []; } = [];

    /// <summary>Of every kind, as the wire has them.</summary>
    [JsonIgnore]
    public IReadOnlyList<SessionResource> AllResources => [.. Resources, .. Repositories, .. Memories];

    public IReadOnlyDictionary<string, string> Metadata
    {
        get;
        init => field = value ?? new Dictionary<string, string>();
    } = new Dictionary<string, string>();

    public string ToJson() => JsonSerializer.Serialize(this, SessionJson.Default.SessionDefinition);
}

/// <summary>What every append changes.</summary>
public sealed record SessionState
{
    public required DateTimeOffset SavedAt { get; init; }

    public SessionUsage Usage { get; init => field = value ?? new(); } = new();

    /// <summary>The exact cost of tokens and searches; null in rows that are older than this member.</summary>
    public decimal? RequestsUsd { get; init; }

    /// <summary>What an hour of running cost when this was saved.</summary>
    public decimal SessionHourUsd { get; init; }

    /// <summary>Whether active time was running when this was saved.</summary>
    public bool IsActive { get; init; }

    public bool HasRun { get; init; }

    /// <summary>The outcomes that were defined, oldest first.</summary>
    public IReadOnlyList<OutcomeEvaluation> Outcomes { get; init => field = value ?? []; } = [];
}

/// <summary>The JSON of a session's row. It is read for ever: members are added, never changed.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(SessionDefinition))]
[JsonSerializable(typeof(SessionState))]
internal sealed partial class SessionJson : JsonSerializerContext;
