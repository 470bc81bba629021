using Microsoft.AspNetCore.Http.HttpResults;
using Tenon.Server.Storage;

namespace Tenon.Server.Http;

/// <summary>What an operator must act on soon though all requests are taken; null when there is nothing.</summary>
public delegate string? HealthWarning();

/// <summary>
/// <c>GET /health</c>, without a key: 200 while the server takes requests, and 503 with the reason while its database
/// is away. A process that does not own the sessions says <c>"role":"standby"</c>.
/// </summary>
public static partial class Health
{
    /// <summary>A load balancer asks again within seconds, so a slow answer is worth no more than none.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static void MapHealth(this IEndpointRouteBuilder routes) => routes.MapGet("/health", Get);

    private static async Task<IResult> Get(
        IDatabase database, HealthWarning warning, TimeProvider clock, ILogger<Errors> logger,
        CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        using var asked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            await database.Check(asked.Token);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The cause may name hosts and users, and whoever asks has shown no key.
            LogUnhealthy(logger, exception);
            if (DiskTrouble.Of(exception) is { } trouble)
            {
                var (reason, message) = (trouble.Reason, trouble.Message);
                return Text($$"""{"status":"unavailable","reason":"{{reason}}","message":"{{message}}"}""", 503);
            }

            return Text("""{"status":"unavailable","reason":"The database does not answer."}""", 503);
        }

        var role = database.Log.IsOwner ? "" : ",\"role\":\"standby\"";
        return Text($"{{\"status\":\"ok\"{role}{Warning(warning())}}}", 200);
    }

    // What goes on works, so the status is good: only who looks closer must act.
    private static string Warning(string? message) => message is null ? ""
        : $$""","warning":{"reason":"sandbox_disk_full","message":"{{message}}"}""";

    private static ContentHttpResult Text(string json, int status) =>
        TypedResults.Text(json, "application/json", statusCode: status);

    [LoggerMessage(LogLevel.Warning, "The database did not answer a check of health")]
    private static partial void LogUnhealthy(ILogger logger, Exception exception);
}
