using Tenon.Server.Models;

namespace Tenon.Server.Harness;

/// <summary>
/// What a model's fault means to a session: its error type (api C.6), whether to try again, and when.
/// </summary>
internal static class Faults
{
    public static (string ErrorType, bool CanRetry) Describe(ModelFaultKind kind) => kind switch
    {
        ModelFaultKind.Overloaded => ("model_overloaded_error", true),
        ModelFaultKind.RateLimited => ("model_rate_limited_error", true),
        ModelFaultKind.Unavailable => ("model_request_failed_error", true),
        ModelFaultKind.Billing => ("billing_error", false),
        _ => ("model_request_failed_error", false),
    };

    /// <summary>
    /// Doubles with every attempt; up to a fifth is taken off at random, so that many sessions do not return together.
    /// </summary>
    public static TimeSpan Delay(int attempt, TimeSpan? retryAfter, Limits limits)
    {
        if (retryAfter is { } asked)
        {
            return asked < limits.RetryAfterMax ? asked : limits.RetryAfterMax;
        }

        var full = limits.RetryDelay * Math.Pow(2, attempt - 1);
        var capped = full < limits.RetryDelayMax ? full : limits.RetryDelayMax;
        return capped * (1 - (Random.Shared.NextDouble() / 5));
    }
}
