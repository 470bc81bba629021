namespace Tenon.Server.Models;

public enum ModelStop
{
    /// <summary>The model finished its answer.</summary>
    EndTurn,

    /// <summary>The model waits for the results of its calls.</summary>
    ToolUse,

    /// <summary>The answer was cut at <see cref="ModelRequest.MaxOutputTokens"/> or at the context window.</summary>
    MaxTokens,

    /// <summary>The model refused; see <see cref="ModelResponse.Refusal"/>.</summary>
    Refusal,

    /// <summary>There is no answer; see <see cref="ModelResponse.Fault"/>.</summary>
    Fault,
}

/// <summary>
/// A whole answer, or why there is none. With <see cref="ModelStop.Fault"/> the content is empty: half an answer is
/// no answer.
/// </summary>
public sealed record ModelResponse
{
    public required ModelStop Stop { get; init; }

    public IReadOnlyList<ModelContent> Content { get; init; } = [];

    public ModelUsage Usage { get; init; } = new();

    public ModelFault? Fault { get; init; }

    public ModelRefusal? Refusal { get; init; }

    /// <summary>What stands for an answer whose stream ended without one.</summary>
    public static ModelResponse Unfinished { get; } =
        Failed(ModelFaultKind.Unavailable, "The model's answer ended without a stop reason.");

    public static ModelResponse Failed(ModelFaultKind kind, string message, TimeSpan? retryAfter = null) =>
        new() { Stop = ModelStop.Fault, Fault = new ModelFault(kind, message, retryAfter) };
}

/// <summary>Tokens of one request. Input excludes what the cache read or wrote.</summary>
public sealed record ModelUsage
{
    public long InputTokens { get; init; }

    public long OutputTokens { get; init; }

    public long CacheReadTokens { get; init; }

    /// <summary>Tokens written to the five-minute cache.</summary>
    public long CacheWrite5mTokens { get; init; }

    /// <summary>Tokens written to the one-hour cache.</summary>
    public long CacheWrite1hTokens { get; init; }

    public static ModelUsage operator +(ModelUsage left, ModelUsage right) => new()
    {
        InputTokens = left.InputTokens + right.InputTokens,
        OutputTokens = left.OutputTokens + right.OutputTokens,
        CacheReadTokens = left.CacheReadTokens + right.CacheReadTokens,
        CacheWrite5mTokens = left.CacheWrite5mTokens + right.CacheWrite5mTokens,
        CacheWrite1hTokens = left.CacheWrite1hTokens + right.CacheWrite1hTokens,
    };
}

/// <param name="Category">The provider's category, or null.</param>
/// <param name="Explanation">The provider's words, or null.</param>
public sealed record ModelRefusal(string? Category, string? Explanation);

/// <summary>
/// Why there is no answer. <paramref name="Message"/> is shown to clients: no secret, no key, no header.
/// </summary>
/// <param name="RetryAfter">How long the provider asked to wait, or null.</param>
public sealed record ModelFault(ModelFaultKind Kind, string Message, TimeSpan? RetryAfter);

public enum ModelFaultKind
{
    /// <summary>529, or the provider's word for overload. Tried again.</summary>
    Overloaded,

    /// <summary>429. Tried again, after the time the provider names.</summary>
    RateLimited,

    /// <summary>Connection error, 408, 409, 5xx, a stream cut or silent. Tried again.</summary>
    Unavailable,

    /// <summary>400, 404, 413, 422 and the like: the same request would fail again.</summary>
    Rejected,

    /// <summary>401 or 403: the key of the model service is wrong or may not use the model.</summary>
    Unauthorized,

    /// <summary>402, or the provider's word for an empty account.</summary>
    Billing,
}
