using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>Memory stores (api A.11, B.8).</summary>
public class MemoryStoreTests(TestServer server)
{
    [Fact]
    public async Task A_store_is_made_changed_by_patches_archived_and_deleted()
    {
        var made = (await server.Post("/v1/memory_stores",
            """{"name":"Demo Memory","metadata":{"a":"1","b":"2"}}""")).Ok();
        var path = $"/v1/memory_stores/{made.Text("id")}";

        JsonAssert.Equal($$"""
            {"type":"memory_store","id":"{{made.Text("id")}}","name":"Demo Memory","description":"",
             "metadata":{"a":"1","b":"2"},"created_at":"{{made.Text("created_at")}}",
             "updated_at":"{{made.Text("created_at")}}","archived_at":null}
            """, made);
        Assert.StartsWith("memstore_", made.Text("id"), StringComparison.Ordinal);
        var changed = (await server.Post(path, """{"description":"d","metadata":{"a":null,"c":"3"}}""")).Ok();
        Assert.Equal(
            ("Demo Memory", "d"), (changed.Text("name"), changed.Text("description")));
        JsonAssert.Equal("""{"b":"2","c":"3"}""", changed.At("metadata"));
        Assert.Equal("", (await server.Post(path, """{"name":null,"description":""}""")).Ok().Text("description"));
        var archived = (await server.Post($"{path}/archive")).Ok();
        Assert.Equal(archived.Text("archived_at"), (await server.Post($"{path}/archive")).Ok().Text("archived_at"));
        JsonAssert.Equal(archived.GetRawText(), (await server.Get(path)).Ok());
        JsonAssert.Equal(
            $$"""{"id":"{{made.Text("id")}}","type":"memory_store_deleted"}""", (await server.Delete(path)).Ok());
        (await server.Get(path)).Refused(404, "Memory store '");
        (await server.Delete(path)).Refused(404, "Memory store '");
    }

    [Fact]
    public async Task Stores_are_listed_newest_first_by_their_time_and_archived_ones_when_asked_for()
    {
        await using var own = await server.StartEmpty();
        var made = new List<JsonElement>();
        for (var i = 0; i < 5; i++)
        {
            made.Insert(0, (await own.Post("/v1/memory_stores", $$"""{"name":"s{{i}}"}""")).Ok());
        }

        var first = (await own.Get("/v1/memory_stores?limit=3")).Ok();
        var second = (await own.Get($"/v1/memory_stores?limit=3&page={first.Text("next_page")}")).Ok();

        Assert.Equal(made.Select(store => store.Text("id")), [.. Ids(first), .. Ids(second)]);
        Assert.Equal(JsonValueKind.Null, second.At("next_page").ValueKind);
        var (from, to) = (made[3].Text("created_at"), made[1].Text("created_at"));
        Assert.Equal(made[1..4].Select(store => store.Text("id")),
            Ids((await own.Get($"/v1/memory_stores?created_at%5Bgte%5D={from}&created_at[lte]={to}")).Ok()));
        (await own.Post($"/v1/memory_stores/{made[0].Text("id")}/archive")).Ok();
        Assert.Equal(4, Ids((await own.Get("/v1/memory_stores")).Ok()).Count);
        Assert.Equal(5, Ids((await own.Get("/v1/memory_stores?include_archived=true")).Ok()).Count);
    }

    [Fact]
    public async Task An_archived_store_is_read_and_emptied_and_not_written_to()
    {
        var store = await server.NewStore();
        var memory = await server.NewMemory(store, "/a", "one");
        await server.Rewrite(store, memory, new { content = "two" });
        var old = (await server.Versions(store))[^1].Text("id");
        (await server.Post($"/v1/memory_stores/{store}/archive")).Ok();

        (await server.Remember(store, "/b", "x")).Refused(400, $"Memory store '{store}' is archived");
        (await server.Rewrite(store, memory, new { content = "x" }))
            .Refused(400, $"Memory store '{store}' is archived");
        (await server.Post($"/v1/memory_stores/{store}", """{"name":"n"}""")).Refused(400, "Memory store '");
        Assert.Equal("two", (await server.Memory(store, memory)).Text("content"));
        (await server.Post($"/v1/memory_stores/{store}/memory_versions/{old}/redact")).Ok();
        (await server.Delete($"/v1/memory_stores/{store}/memories/{memory}")).Ok();
        (await server.Delete($"/v1/memory_stores/{store}")).Ok();
    }

    [Fact]
    public async Task A_store_takes_all_that_is_in_it_with_it()
    {
        var store = await server.NewStore();
        var memory = await server.NewMemory(store, "/a");
        var version = (await server.Versions(store)).Single().Text("id");
        (await server.Delete($"/v1/memory_stores/{store}")).Ok();

        (await server.Get($"/v1/memory_stores/{store}/memories")).Refused(404, $"Memory store '{store}'");
        (await server.Get($"/v1/memory_stores/{store}/memories/{memory}")).Refused(404, $"Memory '{memory}'");
        (await server.Get($"/v1/memory_stores/{store}/memory_versions/{version}")).Refused(404, "Memory version '");
        (await server.Get($"/v1/memory_stores/{store}/memory_versions")).Refused(404, $"Memory store '{store}'");
        (await server.Remember(store, "/b", "x")).Refused(404, $"Memory store '{store}'");
    }

    [Theory]
    [InlineData("agent-memory-2026-07-22", 200)]
    [InlineData("managed-agents-2026-04-01", 200)]
    [InlineData(null, 200)]
    [InlineData("agent-memory-2026-07-22, other,managed-agents-2026-04-01", 400)]
    public async Task Either_beta_is_taken_and_not_both(string? betas, int status)
    {
        var store = await server.NewStore();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/memory_stores/{store}/memories");
        if (betas is not null)
        {
            request.Headers.TryAddWithoutValidation("anthropic-beta", betas);
        }

        using var response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(status, (int)response.StatusCode);
    }

    private static IReadOnlyList<string> Ids(JsonElement page) => page.At("data").Texts("id");
}
