using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Sessions;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Vaults;

public sealed class McpTokensTests : IAsyncLifetime
{
    private const string NoSecret = """{"type":"none"}""";
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(20);

    private TestServer _server = null!;
    private OAuthHost _host = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        (_server, _host) = (await VaultLab.Start(), await OAuthHost.Start());

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task The_first_vault_with_a_credential_for_the_server_wins()
    {
        var (empty, first, second) = (
            await _server.NewVault(), await _server.NewVault(), await _server.NewVault());
        var one = await _server.NewCredential(first, VaultLab.Bearer("https://Mcp.test:443/mcp/", "token-1"));
        await _server.NewCredential(second, VaultLab.Bearer("https://mcp.test/mcp", "token-2"));
        var session = await Session(empty, first, second);

        Assert.Equal("token-1", await Token(session, "https://mcp.test/mcp"));
        Assert.Null(await Token(session, "https://mcp.test/other"));
        Assert.Null(await Token(session, "http://mcp.test/mcp"));
        (await _server.Post($"/v1/vaults/{first}/credentials/{one}/archive")).Ok();
        Assert.Equal("token-2", await Token(session, "https://mcp.test/mcp"));
        (await _server.Delete($"/v1/vaults/{second}")).Ok();
        Assert.Null(await Token(session, "https://mcp.test/mcp"));
    }

    [Theory]
    [InlineData(NoSecret, "", "&client_id=client%3A1")]
    [InlineData("""{"type":"client_secret_basic","client_secret":"p:w&1"}""",
        "Basic Y2xpZW50JTNBMTpwJTNBdyUyNjE=", "")]
    [InlineData("""{"type":"client_secret_post","client_secret":"p:w&1"}""", "",
        "&client_secret=p%3Aw%261&client_id=client%3A1")]
    public async Task A_token_is_renewed_before_it_ends(string endpointAuth, string authorization, string fields)
    {
        var vault = await _server.NewVault();
        await _server.NewCredential(vault, VaultLab.OAuth(_host, "access-1", endpointAuth, Short));
        var session = await Session(vault);
        _host.Answer = () => Results.Json(
            new { access_token = "access-2", expires_in = 3600, refresh_token = "refresh-2" });

        var first = await Task.WhenAll(Token(session), Token(session), Token(session));
        _host.Answer = () => Results.Json(new { access_token = "access-3", expires_in = 3600 });
        var second = await Token(session, rejected: "access-2");
        var third = await Token(session);

        Assert.Equal(["access-2", "access-2", "access-2"], first);
        Assert.Equal(("access-3", "access-3"), (second, third));
        var rest = $"{fields}&scope=read+write&resource=https%3A%2F%2Fr.test%2F";
        Assert.Equal(
            [
                $"{authorization}|grant_type=refresh_token&refresh_token=refresh-1{rest}",
                $"{authorization}|grant_type=refresh_token&refresh_token=refresh-2{rest}",
            ],
            _host.Renewals);
    }

    [Fact]
    public async Task A_token_that_the_server_refused_is_renewed_though_it_has_not_ended()
    {
        var vault = await _server.NewVault();
        await _server.NewCredential(vault, VaultLab.OAuth(_host, "access-1", NoSecret, Long));
        var session = await Session(vault);
        _host.Answer = () => Results.Json(new { access_token = "access-2" });

        Assert.Equal("access-1", await Token(session));
        Assert.Equal("access-2", await Token(session, rejected: "access-1"));
        Assert.Equal("access-2", await Token(session, rejected: "access-1"));
        Assert.Single(_host.Renewals);
    }

    [Fact]
    public async Task A_renewal_that_fails_is_not_tried_again_at_once_unless_the_credential_changes()
    {
        var vault = await _server.NewVault();
        var id = await _server.NewCredential(vault, VaultLab.OAuth(_host, "access-1", NoSecret, Short));
        var session = await Session(vault);
        _host.Answer = () => Results.Text("<html>Sign in</html>", "text/html");

        Assert.Equal("access-1", await Token(session));
        Assert.Null(await Token(session, rejected: "access-1"));
        Assert.Single(_host.Renewals);
        _host.Answer = () => Results.Json(new { access_token = "access-2", expires_in = 3600 });
        (await _server.Post($"/v1/vaults/{vault}/credentials/{id}", """
            {"auth":{"type":"mcp_oauth","refresh":{"refresh_token":"refresh-9"}}}
            """)).Ok();

        Assert.Equal("access-2", await Token(session));
        Assert.Contains("refresh_token=refresh-9", _host.Renewals.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_changes_while_a_token_is_renewed_does_not_cost_the_new_one()
    {
        var vault = await _server.NewVault();
        var id = await _server.NewCredential(vault, VaultLab.OAuth(_host, "access-1", NoSecret, Short));
        var session = await Session(vault);
        var path = $"/v1/vaults/{vault}/credentials/{id}";
        _host.Answer = () =>
        {
            _server.Post(path, """{"display_name":"renamed"}""").GetAwaiter().GetResult().Ok();
            return Results.Json(new { access_token = "access-2", expires_in = 3600 });
        };

        Assert.Equal("access-2", await Token(session));
        Assert.Equal("renamed", (await _server.Get(path)).Ok().Text("display_name"));
        Assert.Equal("access-2", await Token(session));
    }

    private async Task<string> Session(params string[] vaults) =>
        (await _server.NewSession(fields: $"\"vault_ids\":[{string.Join(',', vaults.Select(id => $"\"{id}\""))}]")).Id;

    private Task<string?> Token(string session, string? url = null, string? rejected = null) =>
        _server.Services.GetRequiredService<SessionCredentials>()
            .McpToken(session, url ?? _host.ServerUrl, rejected, Cancelled);
}
