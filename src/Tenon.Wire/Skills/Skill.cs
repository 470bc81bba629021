using System.Text.Json.Serialization;

namespace Tenon.Wire.Skills;

/// <summary>A skill: instructions for a kind of task, in versions that never change (api B.11).</summary>
public sealed record Skill
{
    [JsonPropertyOrder(-2)]
    public string Type => "skill";

    /// <summary><c>skill_…</c>, or the short name of a skill that ships with the server.</summary>
    public required string Id { get; init; }

    /// <summary>One line for people, 1 to 255 characters; not unique.</summary>
    public required string DisplayName { get; init; }

    /// <summary>The newest version, which <c>latest</c> stands for. There is always one.</summary>
    public required string LatestVersionId { get; init; }

    public required SkillSource Source { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When a version last came or went.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Where a skill comes from.</summary>
public sealed record SkillSource
{
    /// <summary>Uploaded by a client.</summary>
    public const string Custom = "custom";

    /// <summary>Ships with the server.</summary>
    public const string Anthropic = "anthropic";

    public required string Type { get; init; }
}

/// <summary>One version of a skill: what its <c>SKILL.md</c> says of it; its files are fetched apart.</summary>
public sealed record SkillVersion
{
    [JsonPropertyOrder(-2)]
    public string Type => "skill_version";

    /// <summary><c>skver_…</c>, or the date of a version that ships with the server.</summary>
    public required string Id { get; init; }

    public required string SkillId { get; init; }

    /// <summary>1 to 64 lower-case letters, digits and hyphens; the same in every version of a skill.</summary>
    public required string Name { get; init; }

    /// <summary>1 to 1,024 characters: what the skill does, and when to use it.</summary>
    public required string Description { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}
