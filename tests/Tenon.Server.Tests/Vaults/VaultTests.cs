using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Vaults;

public sealed class VaultTests(TestServer server)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_vault_is_made_changed_archived_and_deleted()
    {
        var made = (await server.Post("/v1/vaults", """{"display_name":"Alice","metadata":{"a":"1","b":"2"}}""")).Ok();
        var path = $"/v1/vaults/{made.Text("id")}";

        var changed = (await server.Post(path, """{"display_name":"Bob","metadata":{"a":null,"c":"3"}}""")).Ok();
        var archived = (await server.Post($"{path}/archive")).Ok();
        var again = (await server.Post($"{path}/archive")).Ok();

        Assert.StartsWith("vlt_", made.Text("id"), StringComparison.Ordinal);
        JsonAssert.Equal($$"""
            {"type":"vault","id":"{{made.Text("id")}}","display_name":"Bob","metadata":{"b":"2","c":"3"},
            "created_at":"{{made.Text("created_at")}}","updated_at":"{{changed.Text("updated_at")}}","archived_at":null}
            """, changed);
        Assert.Equal(archived.Text("archived_at"), again.Text("archived_at"));
        (await server.Post(path, "{}")).Refused(400, $"Vault '{made.Text("id")}' is archived");
        JsonAssert.Equal(
            $$"""{"id":"{{made.Text("id")}}","type":"vault_deleted"}""", (await server.Delete(path)).Ok());
        (await server.Get(path)).Refused(404, $"Vault '{made.Text("id")}' was not found.");
    }

    [Fact]
    public async Task Vaults_are_listed_newest_first_and_archived_ones_only_when_asked_for()
    {
        await using var empty = await server.StartEmpty();
        var ids = new[] { await empty.NewVault(), await empty.NewVault(), await empty.NewVault() };
        (await empty.Post($"/v1/vaults/{ids[1]}/archive")).Ok();

        var first = (await empty.Get("/v1/vaults?limit=1")).Ok();
        var rest = (await empty.Get($"/v1/vaults?limit=1&page={first.Text("next_page")}")).Ok();
        var all = (await empty.Get("/v1/vaults?include_archived=true")).Ok();

        Assert.Equal([ids[2]], first.At("data").Texts("id"));
        Assert.Equal([ids[0]], rest.At("data").Texts("id"));
        Assert.Equal(System.Text.Json.JsonValueKind.Null, rest.At("next_page").ValueKind);
        Assert.Equal(ids.Reverse(), all.At("data").Texts("id"));
    }

    [Fact]
    public async Task What_a_vault_has_goes_with_it()
    {
        var (kept, gone) = (await server.NewVault(), await server.NewVault());
        var one = await server.NewCredential(kept, VaultLab.Bearer("https://mcp.test", "token"));
        await server.NewCredential(gone, VaultLab.Bearer("https://mcp.test", "token"));

        var at = (await server.Post($"/v1/vaults/{kept}/archive")).Ok().Text("archived_at");
        (await server.Delete($"/v1/vaults/{gone}")).Ok();

        var archived = (await server.Get($"/v1/vaults/{kept}/credentials/{one}")).Ok();
        Assert.Equal(at, archived.Text("archived_at"));
        Assert.Equal("https://mcp.test", archived.Text("auth.mcp_server_url"));
        (await server.AddCredential(kept, VaultLab.Bearer("https://mcp.test", "token")))
            .Refused(400, $"Vault '{kept}' is archived");
        (await server.AddCredential(gone, VaultLab.Bearer("https://mcp.test", "token")))
            .Refused(404, $"Vault '{gone}' was not found.");
        await using var context = await server.Services.GetRequiredService<IDatabase>()
            .CreateDbContextAsync(Cancelled);
        var left = await context.Credentials.Where(row => row.VaultId == kept || row.VaultId == gone)
            .ToListAsync(Cancelled);
        Assert.Equal((one, null, null, null), left.Select(row => (row.Id, row.Key, row.KeyId, row.Secret)).Single());
    }

    [Fact]
    public async Task A_session_has_the_vaults_that_it_was_made_with()
    {
        var (first, second) = (await server.NewVault(), await server.NewVault());

        var session = await server.NewSession(fields: $"\"vault_ids\":[\"{second}\",\"{first}\"]");
        var shown = (await server.Get(session.Path)).Ok();
        var fork = (await server.Post($"{session.Path}/fork", "{}")).Ok();

        Assert.Equal([second, first], shown.At("vault_ids").EnumerateArray().Select(id => id.GetString()));
        Assert.Equal([second, first], fork.At("vault_ids").EnumerateArray().Select(id => id.GetString()));
    }

    [Fact]
    public async Task A_session_is_refused_vaults_that_it_cannot_have()
    {
        var (agent, environment) = (await server.NewAgent(), await server.NewEnvironment());
        var (there, archived) = (await server.NewVault(), await server.NewVault());
        (await server.Post($"/v1/vaults/{archived}/archive")).Ok();

        Task<Answer> Create(params string[] vaults) => server.Post(
            "/v1/sessions", new { agent, environment_id = environment, vault_ids = vaults });

        (await Create(there, "vlt_x")).Refused(404, "Vault 'vlt_x' was not found.");
        (await Create(there, archived)).Refused(400, $"vault_ids.1: vault '{archived}' is archived.");
        (await Create(there, there)).Refused(400, $"vault_ids.1: vault '{there}' is in the list twice.");
    }
}
