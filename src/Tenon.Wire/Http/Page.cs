using System.Text.Json.Serialization;

namespace Tenon.Wire.Http;

/// <summary>One page of a list. <c>next_page</c> is null on the last one, never an empty cursor (api 0.4).</summary>
public sealed record Page<T>
{
    public required IReadOnlyList<T> Data { get; init; }

    public string? NextPage { get; init; }
}

/// <summary>A page that can also be walked backwards; only sessions are listed so.</summary>
public sealed record TwoWayPage<T>
{
    public required IReadOnlyList<T> Data { get; init; }

    public string? NextPage { get; init; }

    public string? PrevPage { get; init; }
}

/// <summary>A page walked by ids; models are listed so.</summary>
public sealed record IdPage<T>
{
    public required IReadOnlyList<T> Data { get; init; }

    public bool HasMore { get; init; }

    public string? FirstId { get; init; }

    public string? LastId { get; init; }
}

/// <summary>The body of every failed request (api 0.5).</summary>
public sealed record ErrorEnvelope
{
    [JsonPropertyOrder(-2)]
    public string Type => "error";

    public required ErrorBody Error { get; init; }

    public required string RequestId { get; init; }
}

public sealed record ErrorBody
{
    /// <summary>One of <see cref="ErrorTypes"/>.</summary>
    public required string Type { get; init; }

    public required string Message { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorDetails? Details { get; init; }

    /// <summary>Of a <see cref="ErrorTypes.MemoryPathConflict"/>: the memory that has the path, or overlaps it.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ConflictingMemoryId { get; init; }

    /// <summary>Of a <see cref="ErrorTypes.MemoryPathConflict"/>: that memory's path.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ConflictingPath { get; init; }
}

public sealed record ErrorDetails
{
    /// <summary>A stable word for the reason, such as <c>environment_archived</c>.</summary>
    public required string ErrorCode { get; init; }
}

/// <summary>The words of <c>error.type</c>.</summary>
public static class ErrorTypes
{
    public const string InvalidRequest = "invalid_request_error";
    public const string Authentication = "authentication_error";
    public const string Permission = "permission_error";
    public const string NotFound = "not_found_error";
    public const string Conflict = "conflict_error";
    public const string MemoryPathConflict = "memory_path_conflict_error";
    public const string MemoryPreconditionFailed = "memory_precondition_failed_error";
    public const string TooLarge = "request_too_large";
    public const string RateLimit = "rate_limit_error";
    public const string Api = "api_error";
    public const string Overloaded = "overloaded_error";
}

/// <summary>The answer to a deletion: the id and what kind of thing is gone (api L.8).</summary>
public sealed record Deleted
{
    public required string Id { get; init; }

    public required string Type { get; init; }
}
