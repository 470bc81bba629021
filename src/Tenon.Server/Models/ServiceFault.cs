using System.Text.Json;
using System.Text.RegularExpressions;

namespace Tenon.Server.Models;

/// <summary>What a service said: an HTTP status, the service's own word for the error, and its sentence.</summary>
internal sealed record ServiceError(int Status, string? Type, string? Message)
{
    /// <summary>Reads <c>{"error":{"type"|"code","message"}}</c>, the one shape that every service shares.</summary>
    public static ServiceError Parse(int status, string? body)
    {
        try
        {
            using var json = JsonDocument.Parse(body ?? "");
            var root = json.RootElement;
            var error = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out var inner)
                ? inner
                : root;
            return error.ValueKind switch
            {
                JsonValueKind.Object => new ServiceError(
                    status, Word(error, "code") ?? Word(error, "type"), Word(error, "message")),
                JsonValueKind.String => new ServiceError(status, null, error.GetString()),
                _ => new ServiceError(status, null, null),
            };
        }
        catch (JsonException)
        {
            // Gateways answer with HTML; such a body helps nobody, so only the status is kept.
            return new ServiceError(status, null, null);
        }
    }

    private static string? Word(JsonElement error, string name) =>
        error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}

/// <summary>The one table from a service's status to our fault.</summary>
internal static partial class ServiceFault
{
    /// <summary>A service may echo the request in its message; more than this helps no reader.</summary>
    private const int MessageCharsMax = 1_000;

    public static ModelResponse Of(ServiceError error, TimeSpan? retryAfter, ServiceIdentity service)
    {
        var said = error.Message ?? error.Type;
        var message = $"{service.Name} answered {error.Status}{(said is null ? "." : $": {said}")}";
        return ModelResponse.Failed(Kind(error.Status), Clean(message, service.Secret), retryAfter);
    }

    public static ModelFaultKind Kind(int status) => status switch
    {
        529 => ModelFaultKind.Overloaded,
        429 => ModelFaultKind.RateLimited,
        402 => ModelFaultKind.Billing,
        401 or 403 => ModelFaultKind.Unauthorized,
        408 or 409 or >= 500 => ModelFaultKind.Unavailable,
        _ => ModelFaultKind.Rejected,
    };

    private static string Clean(string message, string? secret)
    {
        var known = string.IsNullOrEmpty(secret)
            ? message
            : message.Replace(secret, "[key]", StringComparison.Ordinal);
        var cleaned = KeyLike().Replace(known, "[key]");
        return cleaned.Length <= MessageCharsMax ? cleaned : cleaned[..MessageCharsMax] + "…";
    }

    /// <summary>Services repeat a wrong key in their message, in part and with asterisks.</summary>
    [GeneratedRegex(@"\b(sk|key)-[\w*.-]{4,}|\bBearer\s+\S+", RegexOptions.CultureInvariant)]
    private static partial Regex KeyLike();
}
