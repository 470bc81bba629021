using System.Diagnostics;

namespace Tenon.Server.Mcp;

/// <summary>A span for every list and every call, for who listens to <see cref="Name"/>. None of them has an input or
/// a result.</summary>
internal static class McpTrace
{
    /// <summary>The name of the source of the spans.</summary>
    public const string Name = "Tenon.Mcp";

    private static readonly ActivitySource Source = new(Name);

    /// <param name="method">Of the protocol.</param>
    /// <param name="tool">For a call.</param>
    /// <returns>Ended when it is disposed; null when nobody listens.</returns>
    public static Activity? Start(string method, string sessionId, string server, string? tool = null)
    {
        var span = Source.StartActivity(tool is null ? method : $"{method} {tool}", ActivityKind.Client);
        span?.SetTag("mcp.method.name", method);
        span?.SetTag("tenon.session.id", sessionId);
        span?.SetTag("tenon.mcp.server.name", server);
        span?.SetTag("gen_ai.tool.name", tool);
        return span;
    }

    public static void Fail(Activity? span, string type, string reason)
    {
        span?.SetTag("error.type", type);
        span?.SetStatus(ActivityStatusCode.Error, reason);
    }
}
