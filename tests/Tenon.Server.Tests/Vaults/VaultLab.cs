using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Egress;
using Tenon.Server.Tests.Support;

namespace Tenon.Server.Tests.Vaults;

/// <summary>Vaults and credentials as tests make them.</summary>
internal static class VaultLab
{
    /// <summary>A server that may ask hosts on loopback.</summary>
    public static Task<TestServer> Start() => TestServer.Start(services => services.AddSingleton(
        new EgressOptions { AllowedRanges = [IPNetwork.Parse("127.0.0.0/8")] }));

    public static async Task<string> NewVault(this TestServer server, string name = "Alice") =>
        (await server.Post("/v1/vaults", new { display_name = name })).Ok().Text("id");

    /// <param name="auth">JSON.</param>
    public static Task<Answer> AddCredential(this TestServer server, string vaultId, string auth) =>
        server.Post($"/v1/vaults/{vaultId}/credentials", $$"""{"auth":{{auth}}}""");

    public static async Task<string> NewCredential(this TestServer server, string vaultId, string auth) =>
        (await server.AddCredential(vaultId, auth)).Ok().Text("id");

    public static string Bearer(string url, string token) =>
        $$"""{"type":"static_bearer","mcp_server_url":"{{url}}","token":"{{token}}"}""";

    public static string Variable(string name, string value, string hosts = "\"example.com\"") =>
        $$$"""
        {"type":"environment_variable","secret_name":"{{{name}}}","secret_value":{{{JsonSerializer.Serialize(value)}}},
        "networking":{"type":"limited","allowed_hosts":[{{{hosts}}}]}}
        """;

    /// <param name="endpointAuth">JSON of <c>token_endpoint_auth</c>.</param>
    public static string OAuth(OAuthHost host, string token, string endpointAuth, TimeSpan rest) => $$$"""
        {"type":"mcp_oauth","mcp_server_url":"{{{host.ServerUrl}}}","access_token":"{{{token}}}",
        "expires_at":"{{{DateTimeOffset.UtcNow + rest:O}}}",
        "refresh":{"client_id":"client:1","refresh_token":"refresh-1","token_endpoint":"{{{host.TokenEndpoint}}}",
        "token_endpoint_auth":{{{endpointAuth}}},"scope":"read write","resource":"https://r.test/"}}
        """;
}
