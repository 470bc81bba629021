using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Tenon.Server.Tests.Support;

/// <summary>On loopback, a token endpoint and an MCP server that takes the tokens which it gives out.</summary>
internal sealed class OAuthHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OAuthHost(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    public string ServerUrl => $"{Url}/mcp";

    public string TokenEndpoint => $"{Url}/token";

    /// <summary>Every renewal: its Authorization header and its form.</summary>
    public ConcurrentQueue<string> Renewals { get; } = new();

    /// <summary>The tokens that the MCP server takes.</summary>
    public ConcurrentDictionary<string, bool> Accepted { get; } = new();

    /// <summary>What the token endpoint answers.</summary>
    public Func<IResult> Answer { get; set; } = () => Results.NotFound();

    /// <summary>What the MCP server tells those whom it does not take; {0} is the token that they sent.</summary>
    public string Refusal { get; set; } = """{"error":"invalid_token"}""";

    public static async Task<OAuthHost> Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var host = new OAuthHost(app);
        app.MapPost("/token", async (HttpRequest request) =>
        {
            using var reader = new StreamReader(request.Body);
            host.Renewals.Enqueue($"{request.Headers.Authorization}|{await reader.ReadToEndAsync()}");
            return host.Answer();
        });
        app.MapPost("/mcp", (HttpRequest request) =>
        {
            var token = request.Headers.Authorization.ToString().Replace("Bearer ", "", StringComparison.Ordinal);
            return host.Accepted.ContainsKey(token)
                ? Results.Json(new { jsonrpc = "2.0", id = 1, result = new { } })
                : Results.Text(
                    host.Refusal.Replace("{0}", token, StringComparison.Ordinal), "application/json", null, 401);
        });
        await app.StartAsync();
        return host;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
