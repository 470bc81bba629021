using System.Text.Json.Serialization;

namespace Tenon.Wire.Files;

/// <summary>A file: what is known of it; its bytes are fetched apart (api B.11).</summary>
public sealed record FileRecord
{
    [JsonPropertyOrder(-2)]
    public string Type => "file";

    public required string Id { get; init; }

    /// <summary>1 to 255 characters, never a path.</summary>
    public required string Filename { get; init; }

    public required string MimeType { get; init; }

    public required long SizeBytes { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>False for what a client uploaded: only files that an agent made can be downloaded.</summary>
    public bool Downloadable { get; init; }

    /// <summary>When the bytes are gone; null for a file that stays.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The session that the file belongs to; null for an upload.</summary>
    public FileScope? Scope { get; init; }
}

/// <summary>Where a file belongs, and with what it ends.</summary>
public sealed record FileScope
{
    [JsonPropertyOrder(-2)]
    public string Type => "session";

    public required string Id { get; init; }
}
