using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Vaults;

public sealed class CredentialCheckTests : IAsyncLifetime
{
    private const string NoSecret = """{"type":"none"}""";

    private TestServer _server = null!;
    private OAuthHost _host = null!;

    public async ValueTask InitializeAsync() =>
        (_server, _host) = (await VaultLab.Start(), await OAuthHost.Start());

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task A_token_that_the_server_takes_is_valid()
    {
        _host.Accepted["access-1"] = true;

        var validation = await Validate(VaultLab.OAuth(_host, "access-1", NoSecret, TimeSpan.FromHours(1)));

        Assert.Equal("valid", validation.Text("status"));
        Assert.True(validation.At("has_refresh_token").GetBoolean());
        Assert.Equal(
            (JsonValueKind.Null, JsonValueKind.Null),
            (validation.At("mcp_probe").ValueKind, validation.At("refresh").ValueKind));
        Assert.Equal(
            [
                "type", "credential_id", "vault_id", "validated_at", "status", "has_refresh_token", "mcp_probe",
                "refresh",
            ],
            validation.Names());
    }

    [Fact]
    public async Task A_token_that_is_refused_and_renewed_is_tried_again()
    {
        _host.Accepted["access-2"] = true;
        _host.Answer = () => Results.Json(new { access_token = "access-2", expires_in = 60 });

        var validation = await Validate(VaultLab.OAuth(_host, "access-1", NoSecret, TimeSpan.FromHours(1)));

        Assert.Equal("valid", validation.Text("status"));
        JsonAssert.Equal("""{"status":"succeeded","http_response":null}""", validation.At("refresh"));
    }

    [Theory]
    [InlineData(400, "invalid")]
    [InlineData(503, "unknown")]
    [InlineData(200, "invalid")]
    public async Task What_stood_in_the_way_is_shown_without_the_secrets(int status, string verdict)
    {
        _host.Refusal = """{"error":"{0} is not known"}""";
        _host.Answer = () => Results.Text(
            $"<p>{_host.Renewals.Last()} access-1 refresh-1 p:w&1</p>", "text/html", null, status);

        var validation = await Validate(VaultLab.OAuth(
            _host, "access-1", """{"type":"client_secret_basic","client_secret":"p:w&1"}""", TimeSpan.FromHours(1)));

        Assert.Equal(verdict, validation.Text("status"));
        JsonAssert.Equal("""
            {"method":"initialize","http_response":{"status_code":401,"content_type":"application/json",
            "body":"{\"error\":\"[redacted] is not known\"}","body_truncated":false}}
            """, validation.At("mcp_probe"));
        JsonAssert.Equal($$$"""
            {"status":"failed","http_response":{"status_code":{{{status}}},"content_type":"text/html",
            "body":"<p>Basic [redacted]|grant_type=refresh_token&refresh_token=[redacted]&scope=read+write&resource={{{
            ""}}}https%3A%2F%2Fr.test%2F [redacted] [redacted] [redacted]</p>","body_truncated":false}}
            """, validation.At("refresh"));
    }

    [Fact]
    public async Task Without_a_way_to_renew_it_a_refused_token_is_invalid()
    {
        var bearer = await Validate(VaultLab.Bearer(_host.ServerUrl, "token-1"));
        var oauth = await Validate(
            $$"""{"type":"mcp_oauth","mcp_server_url":"{{_host.ServerUrl}}","access_token":"access-1"}""");

        Assert.Equal(("invalid", "invalid"), (bearer.Text("status"), oauth.Text("status")));
        Assert.Equal(JsonValueKind.Null, bearer.At("refresh").ValueKind);
        JsonAssert.Equal("""{"status":"no_refresh_token","http_response":null}""", oauth.At("refresh"));
        Assert.False(oauth.At("has_refresh_token").GetBoolean());
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_leaves_it_unknown()
    {
        var url = _host.ServerUrl;
        await _host.DisposeAsync();

        var validation = await Validate(VaultLab.Bearer(url, "token-1"));

        Assert.Equal("unknown", validation.Text("status"));
        JsonAssert.Equal("""{"method":"initialize","http_response":null}""", validation.At("mcp_probe"));
    }

    [Fact]
    public async Task An_address_that_is_not_public_is_not_asked_unless_the_operator_allows_it()
    {
        await using var server = await TestServer.Start();

        var validation = await Validate(VaultLab.Bearer(_host.ServerUrl, "token-1"), server);

        Assert.Equal("unknown", validation.Text("status"));
        Assert.Empty(_host.Renewals);
    }

    private async Task<JsonElement> Validate(string auth, TestServer? server = null)
    {
        server ??= _server;
        var vault = await server.NewVault();
        var id = await server.NewCredential(vault, auth);
        return (await server.Post($"/v1/vaults/{vault}/credentials/{id}/mcp_oauth_validate")).Ok();
    }
}
