using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Memory;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>The versions of memories (api A.11, B.8).</summary>
public class MemoryVersionTests(TestServer server)
{
    [Fact]
    public async Task Every_change_is_a_version_and_no_change_is_none()
    {
        var store = await server.NewStore();
        var memory = await server.NewMemory(store, "/a", "one");
        await server.Rewrite(store, memory, new { content = "one" });
        await server.Rewrite(store, memory, new { });
        await server.Rewrite(store, memory, new { content = "two" });
        var head = (await server.Rewrite(store, memory, new { path = "/b" })).Ok().Text("memory_version_id");
        (await server.Delete($"/v1/memory_stores/{store}/memories/{memory}")).Ok();

        var versions = await server.Versions(store);
        var actor = versions[0].At("created_by").GetRawText();

        Assert.Equal([
            ("deleted", "/b", null), ("modified", "/b", Memories.Sha256("two")),
            ("modified", "/a", Memories.Sha256("two")), ("created", "/a", Memories.Sha256("one"))],
            versions.Select(version => (
                version.Text("operation"), version.Text("path"), version.At("content_sha256").GetString())));
        Assert.StartsWith("{\"type\":\"api_actor\",\"api_key_id\":\"apikey_", actor, StringComparison.Ordinal);
        Assert.Equal(head, versions[1].Text("id"));
        Assert.All(versions, version => Assert.Equal(JsonValueKind.Null, version.At("content").ValueKind));
        JsonAssert.Equal($$"""
            {"type":"memory_version","id":"{{versions[3].Text("id")}}","memory_store_id":"{{store}}",
             "memory_id":"{{memory}}","operation":"created","path":"/a","content":"one","content_size_bytes":3,
             "content_sha256":"{{Memories.Sha256("one")}}","created_at":"{{versions[3].Text("created_at")}}",
             "created_by":{{actor}},"redacted_at":null,"redacted_by":null}
            """, (await Version(store, versions[3].Text("id"))).Ok());
        JsonAssert.Equal($$"""
            {"type":"memory_version","id":"{{versions[0].Text("id")}}","memory_store_id":"{{store}}",
             "memory_id":"{{memory}}","operation":"deleted","path":"/b","content":null,"content_size_bytes":null,
             "content_sha256":null,"created_at":"{{versions[0].Text("created_at")}}",
             "created_by":{{actor}},"redacted_at":null,"redacted_by":null}
            """, (await Version(store, versions[0].Text("id"))).Ok());
        Assert.Equal("two", (await server.Versions(store, "&view=full"))[1].Text("content"));
    }

    [Fact]
    public async Task Versions_are_found_by_memory_kind_time_and_author_and_paged()
    {
        var store = await server.NewStore();
        var (first, second) = (await server.NewMemory(store, "/a"), await server.NewMemory(store, "/b"));
        await server.Rewrite(store, first, new { content = "two" });
        var all = await server.Versions(store);
        var key = all[0].Text("created_by.api_key_id");

        async Task<IReadOnlyList<string>> Ids(string query) =>
            [.. (await server.Versions(store, query)).Select(version => version.Text("id"))];
        Assert.Equal([all[0].Text("id"), all[2].Text("id")], await Ids($"&memory_id={first}"));
        Assert.Equal([all[1].Text("id")], await Ids($"&memory_id={second}"));
        Assert.Equal([all[0].Text("id")], await Ids("&operation=modified"));
        Assert.Equal(3, (await Ids($"&api_key_id={key}")).Count);
        Assert.Empty(await Ids("&api_key_id=apikey_x"));
        Assert.Empty(await Ids("&session_id=sesn_x"));
        Assert.Empty(await Ids("&service_account_id=svac_x"));
        Assert.Empty(await Ids($"&api_key_id={key}&session_id=sesn_x"));
        Assert.Equal(all.Take(2).Select(version => version.Text("id")),
            await Ids($"&created_at[gte]={all[1].Text("created_at")}"));
        var page = (await server.Get($"/v1/memory_stores/{store}/memory_versions?limit=2")).Ok();
        var last = (await server.Get(
            $"/v1/memory_stores/{store}/memory_versions?limit=2&page={page.Text("next_page")}")).Ok();
        Assert.Equal(all.Select(version => version.Text("id")),
            [.. page.At("data").Texts("id"), .. last.At("data").Texts("id")]);
        Assert.Equal(JsonValueKind.Null, last.At("next_page").ValueKind);
        (await server.Get($"/v1/memory_stores/{store}/memory_versions?operation=x"))
            .Refused(400, "operation: 'x' is not one of created, modified, deleted.");
    }

    [Fact]
    public async Task A_past_version_is_redacted_for_good_and_the_one_that_counts_is_not()
    {
        var store = await server.NewStore();
        var memory = await server.NewMemory(store, "/secret", "token");
        await server.Rewrite(store, memory, new { content = "clean", path = "/clean" });
        var versions = await server.Versions(store);
        var path = $"/v1/memory_stores/{store}/memory_versions/";

        (await server.Post($"{path}{versions[0].Text("id")}/redact")).Refused(409, "Memory version '");
        var redacted = (await server.Post($"{path}{versions[1].Text("id")}/redact")).Ok();
        JsonAssert.Equal(redacted.GetRawText(), (await server.Post($"{path}{versions[1].Text("id")}/redact")).Ok());

        JsonAssert.Equal(redacted.GetRawText(), (await Version(store, versions[1].Text("id"))).Ok());
        foreach (var field in (string[])["path", "content", "content_size_bytes", "content_sha256"])
        {
            Assert.Equal(JsonValueKind.Null, redacted.At(field).ValueKind);
        }

        Assert.Equal(
            (versions[1].At("created_by").GetRawText(), "created", "api_actor"),
            (redacted.At("created_by").GetRawText(), redacted.Text("operation"), redacted.Text("redacted_by.type")));
        Assert.Equal("clean", (await server.Memory(store, memory)).Text("content"));
        (await server.Delete($"/v1/memory_stores/{store}/memories/{memory}")).Ok();
        (await server.Post($"{path}{versions[0].Text("id")}/redact")).Ok();
        (await server.Post($"{path}memver_x/redact")).Refused(404, "Memory version 'memver_x'");
    }

    [Fact]
    public async Task Versions_are_kept_for_a_month_and_the_newest_of_what_lives_for_ever()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var own = await TestServer.Start(services => services.AddSingleton<TimeProvider>(clock));
        var store = await own.NewStore();
        var (lives, gone) = (await own.NewMemory(store, "/lives", "0"), await own.NewMemory(store, "/gone"));
        for (var i = 1; i < 15; i++)
        {
            (await own.Rewrite(store, lives, new { content = $"{i}" })).Ok();
        }

        (await own.Delete($"/v1/memory_stores/{store}/memories/{gone}")).Ok();
        var memories = own.Services.GetRequiredService<MemoryStore>();
        clock.Advance(MemoryLimits.VersionsKept - TimeSpan.FromMinutes(1));
        await memories.SweepVersions(TestContext.Current.CancellationToken);
        Assert.Equal(17, (await own.Versions(store)).Count);

        clock.Advance(TimeSpan.FromMinutes(2));
        await memories.SweepVersions(TestContext.Current.CancellationToken);

        Assert.Equal(
            Enumerable.Range(5, 10).Reverse().Select(i => $"{i}"),
            (await own.Versions(store, "&view=full")).Select(version => version.Text("content")));
        Assert.Equal("14", (await own.Memory(store, lives)).Text("content"));
    }

    private Task<Answer> Version(string store, string id) =>
        server.Get($"/v1/memory_stores/{store}/memory_versions/{id}");
}
