using System.Text.Json.Serialization;

namespace Tenon.Wire.Environments;

/// <summary>How far an environment's packages are installed (Tenon's own: docs/operations/images.md).</summary>
public sealed record EnvironmentPackages
{
    [JsonPropertyOrder(-2)]
    public string Type => "environment_packages";

    public required string EnvironmentId { get; init; }

    /// <summary>
    /// <c>none</c> (it has no packages), <c>pending</c> (nobody has needed them yet), <c>installing</c>, <c>ready</c>
    /// or <c>failed</c>; a failed one is tried again by the next session.
    /// </summary>
    public required string Status { get; init; }

    /// <summary>In the order in which they are made.</summary>
    public IReadOnlyList<PackageStepState> Steps { get; init; } = [];
}

/// <summary>One package manager's part.</summary>
public sealed record PackageStepState
{
    /// <summary><c>apt cargo gem go npm pip</c>.</summary>
    public required string Manager { get; init; }

    public required IReadOnlyList<string> Packages { get; init; }

    /// <summary><c>pending</c>, <c>installing</c>, <c>ready</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    /// <summary>The end of what the package manager said, when it failed.</summary>
    public string? Error { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }
}
