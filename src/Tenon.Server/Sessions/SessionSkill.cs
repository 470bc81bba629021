namespace Tenon.Server.Sessions;

/// <summary>A skill that a session has, as its model is told of it.</summary>
public sealed record SessionSkill
{
    /// <summary>Null for one that was found in a repository.</summary>
    public string? SkillId { get; init; }

    /// <summary>Null for one that was found in a repository.</summary>
    public string? Version { get; init; }

    public required string Name { get; init; }

    public required string Description { get; init; }

    /// <summary>Its folder in the sandbox.</summary>
    public required string Path { get; init; }
}
