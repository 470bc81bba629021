using System.Diagnostics;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>A span for every request that has ended, whichever way: for who listens to <see cref="Name"/>.</summary>
internal static class EgressTrace
{
    /// <summary>The name of the source of the spans.</summary>
    public const string Name = "Tenon.Egress";

    private static readonly ActivitySource Source = new(Name);

    /// <param name="status">Of the answer that the sandbox got; null for a tunnel, and when it got none.</param>
    public static void Write(EgressRequest request, int? status)
    {
        using var span = Source.StartActivity(
            ActivityKind.Client, default(ActivityContext), startTime: request.CreatedAt,
            name: request.Method.Length > 0 ? request.Method : "unread");
        if (span is null)
        {
            // Nobody listens.
            return;
        }

        span.SetTag("tenon.session.id", request.SessionId);
        span.SetTag("tenon.egress.request.id", request.Id);
        span.SetTag("http.request.method", request.Method);
        span.SetTag("server.address", request.Host);
        span.SetTag("server.port", request.Port);
        span.SetTag("tenon.egress.verdict", request.Verdict);
        span.SetTag("tenon.egress.bytes_sent", request.BytesSent);
        span.SetTag("tenon.egress.bytes_received", request.BytesReceived);
        span.SetTag("http.response.status_code", status);
        span.SetTag("tenon.egress.credentials", request.Credentials);
        if (request.Reason is { } reason)
        {
            span.SetStatus(ActivityStatusCode.Error, reason);
        }

        if (request.EndedAt is { } end)
        {
            span.SetEndTime(end.UtcDateTime);
        }
    }
}
