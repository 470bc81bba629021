namespace Tenon.Server.Http;

/// <summary><c>GET /health</c>: answers 200 once the server takes requests, without a key.</summary>
public static class Health
{
    public static void MapHealth(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/health", () => TypedResults.Text("""{"status":"ok"}""", "application/json"));
}
