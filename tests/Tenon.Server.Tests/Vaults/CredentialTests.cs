using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Tests.Support;
using Tenon.Server.Vaults;
using Xunit;

namespace Tenon.Server.Tests.Vaults;

public sealed class CredentialTests(TestServer server)
{
    private const string OAuth = """
        {"type":"mcp_oauth","mcp_server_url":"https://mcp.test/mcp","access_token":"access-1",
        "expires_at":"2099-12-31T23:59:59Z","refresh":{"client_id":"c","refresh_token":"refresh-1",
        "token_endpoint":"https://auth.test/token","scope":"a b",
        "token_endpoint_auth":{"type":"client_secret_basic","client_secret":"client-secret-1"}}}
        """;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Kinds => new()
    {
        {
            OAuth, """
            {"type":"mcp_oauth","mcp_server_url":"https://mcp.test/mcp","expires_at":"2099-12-31T23:59:59.000000Z",
            "refresh":{"client_id":"c","token_endpoint":"https://auth.test/token",
            "token_endpoint_auth":{"type":"client_secret_basic"},"scope":"a b","resource":null}}
            """
        },
        {
            """{"type":"mcp_oauth","mcp_server_url":"https://mcp.test","access_token":"access-1"}""",
            """{"type":"mcp_oauth","mcp_server_url":"https://mcp.test","expires_at":null,"refresh":null}"""
        },
        {
            VaultLab.Bearer("https://mcp.test", "token-1"),
            """{"type":"static_bearer","mcp_server_url":"https://mcp.test"}"""
        },
        {
            VaultLab.Variable("API_KEY", "secret-1", "\"api.test\",\"*.b.test\",\"192.0.2.1\""), """
            {"type":"environment_variable","secret_name":"API_KEY",
            "networking":{"type":"limited","allowed_hosts":["api.test","*.b.test","192.0.2.1"]},
            "injection_location":{"header":true,"body":true}}
            """
        },
        {
            """
            {"type":"environment_variable","secret_name":"API_KEY","secret_value":"secret-1",
            "networking":{"type":"unrestricted"},"injection_location":{"header":true}}
            """, """
            {"type":"environment_variable","secret_name":"API_KEY","networking":{"type":"unrestricted"},
            "injection_location":{"header":true,"body":false}}
            """
        },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_credential_is_told_back_without_its_secrets(string auth, string shown)
    {
        var vault = await server.NewVault();

        var path = $"/v1/vaults/{vault}/credentials";
        var made = (await server.Post(
            path, $$$"""{"auth":{{{auth}}},"display_name":"n","metadata":{"a":"1"}}""")).Ok();
        var read = (await server.Get($"{path}/{made.Text("id")}")).Ok();

        JsonAssert.Equal($$"""
            {"type":"vault_credential","id":"{{made.Text("id")}}","vault_id":"{{vault}}","display_name":"n",
            "auth":{{shown}},"metadata":{"a":"1"},"created_at":"{{made.Text("created_at")}}",
            "updated_at":"{{made.Text("created_at")}}","archived_at":null}
            """, made);
        JsonAssert.Equal(made.ToString(), read);
        Assert.StartsWith("vcrd_", made.Text("id"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_update_changes_what_it_names()
    {
        var vault = await server.NewVault();
        var (oauth, variable) = (
            await server.NewCredential(vault, OAuth),
            await server.NewCredential(vault, VaultLab.Variable("API_KEY", "secret-1")));
        var path = $"/v1/vaults/{vault}/credentials";

        var first = (await server.Post($"{path}/{oauth}", """
            {"display_name":"d","metadata":{"k":"v"},"auth":{"type":"mcp_oauth","access_token":"access-2",
            "refresh":{"scope":"","token_endpoint_auth":{"type":"client_secret_post","client_secret":"secret-2"}}}}
            """)).Ok();
        var second = (await server.Post($"{path}/{variable}", """
            {"auth":{"type":"environment_variable","injection_location":{"body":false},
            "networking":{"type":"unrestricted"}}}
            """)).Ok();

        Assert.Equal(("d", "2099-12-31T23:59:59.000000Z"), (first.Text("display_name"), first.Text("auth.expires_at")));
        Assert.Equal("client_secret_basic", first.Text("auth.refresh.token_endpoint_auth.type"));
        Assert.Null(first.Text("auth.refresh.scope"));
        JsonAssert.Equal("""{"header":true,"body":false}""", second.At("auth.injection_location"));
        JsonAssert.Equal("""{"type":"unrestricted"}""", second.At("auth.networking"));
        Assert.Equal(("access-2", "refresh-1", "secret-2"), await Secrets(vault, oauth));
        Assert.Equal(("secret-1", null, null), await Secrets(vault, variable));
    }

    [Fact]
    public async Task What_a_credential_is_for_is_unique_among_the_active_ones_of_a_vault()
    {
        var (vault, other) = (await server.NewVault(), await server.NewVault());
        var first = await server.NewCredential(vault, VaultLab.Bearer("https://mcp.test/mcp", "token"));
        await server.NewCredential(vault, VaultLab.Variable("API_KEY", "secret-1"));

        foreach (var url in (string[])["https://mcp.test/mcp", "HTTPS://MCP.test:443/mcp/"])
        {
            (await server.AddCredential(vault, VaultLab.Bearer(url, "token"))).Refused(409, $"Vault '{vault}' has");
        }

        (await server.AddCredential(vault, VaultLab.Variable("API_KEY", "secret-1"))).Refused(409, $"Vault '{vault}'");
        await server.NewCredential(other, VaultLab.Bearer("https://mcp.test/mcp", "token"));
        (await server.Post($"/v1/vaults/{vault}/credentials/{first}/archive")).Ok();
        var next = await server.NewCredential(vault, VaultLab.Bearer("https://mcp.test/mcp", "token"));

        var active = (await server.Get($"/v1/vaults/{vault}/credentials?limit=1")).Ok();
        var all = (await server.Get($"/v1/vaults/{vault}/credentials?include_archived=true")).Ok();
        Assert.Equal([next], active.At("data").Texts("id"));
        Assert.NotNull(active.Text("next_page"));
        Assert.Equal(3, all.At("data").GetArrayLength());
        (await server.Post($"/v1/vaults/{vault}/credentials/{first}", "{}")).Refused(400, $"Credential '{first}' is");
        (await server.Delete($"/v1/vaults/{vault}/credentials/{next}")).Ok();
        (await server.Get($"/v1/vaults/{vault}/credentials/{next}")).Refused(404, $"Credential '{next}' was not found");
        (await server.Get($"/v1/vaults/{other}/credentials/{first}")).Refused(404, $"Credential '{first}' was not");
    }

    [Fact]
    public async Task A_vault_takes_twenty_credentials_whoever_adds_them_and_not_one_more()
    {
        var vault = await server.NewVault();

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(
            i => server.AddCredential(vault, VaultLab.Variable($"KEY_{i}", "secret-1"))));

        Assert.Equal(20, answers.Count(answer => answer.Status == 200));
        Assert.All(
            answers.Where(answer => answer.Status != 200),
            answer => answer.Refused(400, $"Vault '{vault}' has 20 active credentials, which is the most."));
    }

    [Fact]
    public async Task Of_the_secrets_only_what_is_sealed_is_written()
    {
        await using var own = await TestServer.Start();
        var vault = await own.NewVault();
        await own.NewCredential(vault, OAuth);
        var key = Path.Combine(own.DataDirectory, "vault.key");

        await own.Stop();

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        var files = Directory.EnumerateFiles(own.DataDirectory, "*", SearchOption.AllDirectories)
            .Select(path => Encoding.Latin1.GetString(File.ReadAllBytes(path))).ToList();
        Assert.Contains(files, text => text.Contains("https://auth.test/token", StringComparison.Ordinal));
        foreach (var secret in (string[])["access-1", "refresh-1", "client-secret-1"])
        {
            Assert.DoesNotContain(files, text => text.Contains(secret, StringComparison.Ordinal));
        }
    }

    private async Task<(string, string?, string?)> Secrets(string vault, string id)
    {
        var store = server.Services.GetRequiredService<CredentialStore>();
        var secrets = store.Open((await store.Find(vault, id, Cancelled))!);
        return (secrets.Token, secrets.RefreshToken, secrets.ClientSecret);
    }
}
