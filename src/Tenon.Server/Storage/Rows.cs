namespace Tenon.Server.Storage;

/// <summary>An agent: which version is current. Times are Unix microseconds.</summary>
public sealed class AgentRow
{
    public required string Id { get; init; }

    public required int Version { get; set; }

    public required long CreatedAt { get; init; }

    public long? ArchivedAt { get; set; }
}

/// <summary>One version of an agent, as wire JSON.</summary>
public sealed class AgentVersionRow
{
    public required string AgentId { get; init; }

    public required int Version { get; init; }

    public required string Body { get; init; }
}

/// <summary>An environment, as wire JSON.</summary>
public sealed class EnvironmentRow
{
    public required string Id { get; init; }

    public required long CreatedAt { get; init; }

    public long? ArchivedAt { get; set; }

    public required string Body { get; set; }
}

/// <summary>
/// A session: what it was made with, and a projection of its log that is saved in the log's own transactions,
/// so that the two never disagree.
/// </summary>
public sealed class SessionRow
{
    public required string Id { get; init; }

    public required long CreatedAt { get; init; }

    public required string ThreadId { get; init; }

    public required string AgentId { get; init; }

    public required int AgentVersion { get; init; }

    public required string EnvironmentId { get; init; }

    /// <summary><c>idle running rescheduling terminated</c>, or <c>deleted</c> until the row is swept.</summary>
    public required string Status { get; init; }

    public long? ArchivedAt { get; init; }

    /// <summary>What changes rarely (agent, title, metadata …), as JSON.</summary>
    public required string Definition { get; init; }

    /// <summary>What every turn changes (usage, times), as JSON.</summary>
    public required string State { get; init; }
}

/// <summary>One entry of a session's log.</summary>
public sealed class LogRow
{
    public required string Session { get; init; }

    /// <summary>Counts from 1 within the session, without gaps.</summary>
    public required long Seq { get; init; }

    public required string Thread { get; init; }

    public required string Id { get; init; }

    public required string Type { get; init; }

    public required long At { get; init; }

    /// <summary>The exact JSON that clients get, or an internal record.</summary>
    public required string Body { get; init; }

    /// <summary>True for what never leaves the server.</summary>
    public required bool Internal { get; init; }
}
