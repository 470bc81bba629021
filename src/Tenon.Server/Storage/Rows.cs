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

/// <summary>A vault, as wire JSON.</summary>
public sealed class VaultRow
{
    public required string Id { get; init; }

    public long? ArchivedAt { get; init; }

    public required string Body { get; init; }
}

/// <summary>A credential: what is told of it as wire JSON, and its secrets sealed.</summary>
public sealed class CredentialRow
{
    public required string Id { get; init; }

    public required string VaultId { get; init; }

    /// <summary>What it is for: one such active credential in a vault. Null once it is archived.</summary>
    public string? Key { get; init; }

    public long? ArchivedAt { get; init; }

    /// <summary>Counts changes, so that of two at once one is refused.</summary>
    public int Revision { get; init; }

    /// <summary>The key that opens <see cref="Secret"/>; both are null once it is archived.</summary>
    public string? KeyId { get; init; }

    public byte[]? Secret { get; init; }

    public required string Body { get; init; }
}

/// <summary>The token of a session's repository, sealed.</summary>
public sealed class RepositoryTokenRow
{
    public required string ResourceId { get; init; }

    public required string SessionId { get; init; }

    /// <summary>The key that opens it.</summary>
    public required string KeyId { get; init; }

    public required byte[] Secret { get; init; }
}

/// <summary>A file, as wire JSON. Several files may have one blob: a session's copy shares the upload's.</summary>
public sealed class FileRow
{
    public required string Id { get; init; }

    /// <summary>The session that it belongs to and ends with; null for an upload.</summary>
    public string? ScopeId { get; init; }

    /// <summary>The name of its bytes in the blob folder.</summary>
    public required string Blob { get; init; }

    public long? ExpiresAt { get; init; }

    /// <summary>No list shows it: the log names it, for what a tool has shown the model.</summary>
    public bool IsUnlisted { get; set; }

    public required string Body { get; init; }
}

/// <summary>
/// What was last seen at a path of a session's outputs folder. It outlives a file that the client deleted, so that
/// the file does not come back by itself.
/// </summary>
public sealed class OutputRow
{
    public required string SessionId { get; init; }

    /// <summary>Below the outputs folder.</summary>
    public required string Path { get; init; }

    /// <summary>Size, time of change and inode: the same as long as nobody wrote to it.</summary>
    public required string Stamp { get; set; }

    public required string FileId { get; set; }
}

/// <summary>A skill that a client uploaded. Its newest version is the one with the greatest id.</summary>
public sealed class SkillRow
{
    public required string Id { get; init; }

    /// <summary>The slug that all its versions have.</summary>
    public required string Name { get; init; }

    public required string DisplayName { get; init; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; set; }
}

/// <summary>A version of a skill. One that was deleted stays, unseen, while a session has it.</summary>
public sealed class SkillVersionRow
{
    /// <summary>Also the name of its blob: a zip of its files.</summary>
    public required string Id { get; init; }

    public required string SkillId { get; init; }

    public required string Name { get; init; }

    public required string Description { get; init; }

    public required long CreatedAt { get; init; }

    public bool IsDeleted { get; set; }
}

/// <summary>A session has this version of a skill.</summary>
public sealed class SessionSkillRow
{
    public required string SessionId { get; init; }

    public required string VersionId { get; init; }
}

/// <summary>A request that left a session's sandbox, or was refused, as wire JSON.</summary>
public sealed class EgressRow
{
    public required string Id { get; init; }

    public required string SessionId { get; init; }

    public required string Body { get; set; }
}

/// <summary>
/// A session: what it was made with, and a projection of its log that is saved in the log's own transactions,
/// so that the two never disagree.
/// </summary>
public sealed record SessionRow
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

    /// <summary>
    /// What changes rarely (agent, title, metadata …), as JSON. Empty where only the state is saved.
    /// </summary>
    public required string Definition { get; init; }

    /// <summary>What every turn changes (usage, times), as JSON.</summary>
    public required string State { get; init; }
}

/// <summary>
/// A thread of a session that has more than one: who works in it, and a projection of its log, as with sessions.
/// </summary>
public sealed record ThreadRow
{
    public required string Session { get; init; }

    public required string Id { get; init; }

    public required long CreatedAt { get; init; }

    /// <summary><c>idle running rescheduling terminated</c>.</summary>
    public required string Status { get; init; }

    public long? ArchivedAt { get; init; }

    /// <summary>Who works in it and for whom, as JSON; it never changes. Empty where only the state is saved.</summary>
    public required string Definition { get; init; }

    /// <summary>What its status brings with it (usage, times), as JSON.</summary>
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
