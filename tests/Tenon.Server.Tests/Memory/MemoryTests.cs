using System.Text.Json;
using Tenon.Server.Memory;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>Memories through the API (api A.11, B.8).</summary>
public class MemoryTests(TestServer server)
{
    [Fact]
    public async Task A_memory_is_made_read_changed_moved_and_deleted()
    {
        var store = await server.NewStore();
        var before = (await server.Get($"/v1/memory_stores/{store}")).Ok().Text("updated_at");
        var made = (await server.Remember(store, "/notes/é.md", "héllo")).Ok();
        var path = $"/v1/memory_stores/{store}/memories/{made.Text("id")}";

        JsonAssert.Equal($$"""
            {"type":"memory","id":"{{made.Text("id")}}","memory_store_id":"{{store}}","path":"/notes/é.md",
             "memory_version_id":"{{made.Text("memory_version_id")}}","content":null,"content_size_bytes":6,
             "content_sha256":"{{Memories.Sha256("héllo")}}","created_at":"{{made.Text("created_at")}}",
             "updated_at":"{{made.Text("created_at")}}"}
            """, made);
        Assert.Equal("héllo", (await server.Get(path)).Ok().Text("content"));
        Assert.Null((await server.Get($"{path}?view=basic")).Ok().Text("content"));
        var changed = (await server.Post($"{path}?view=full", """{"content":"two\u0000"}""")).Ok();
        Assert.Equal(("two\0", 4), (changed.Text("content"), changed.At("content_size_bytes").GetInt32()));
        var moved = (await server.Send(HttpMethod.Patch, path, """{"path":"/archive/a","content":null}""")).Ok();
        Assert.Equal((made.Text("id"), "/archive/a"), (moved.Text("id"), moved.Text("path")));
        Assert.Equal(changed.Text("content_sha256"), moved.Text("content_sha256"));
        JsonAssert.Equal(
            $$"""{"id":"{{made.Text("id")}}","type":"memory_deleted"}""", (await server.Delete(path)).Ok());
        (await server.Get(path)).Refused(404, "Memory 'mem_");
        (await server.Delete(path)).Refused(404, "Memory 'mem_");
        Assert.Equal(before, (await server.Get($"/v1/memory_stores/{store}")).Ok().Text("updated_at"));
    }

    [Fact]
    public async Task A_memory_is_never_overwritten_by_another()
    {
        var store = await server.NewStore();
        var first = await server.NewMemory(store, "/a/b", "kept");
        var other = await server.NewMemory(store, "/x");

        foreach (var path in (string[])["/a/b", "/a", "/a/b/c", "/a/b/c/d"])
        {
            foreach (var answer in (Answer[])[
                await server.Remember(store, path, "new"), await server.Rewrite(store, other, new { path })])
            {
                answer.Conflicts("memory_path_conflict_error");
                Assert.Equal((first, "/a/b"), (
                    answer.Json.Text("error.conflicting_memory_id"), answer.Json.Text("error.conflicting_path")));
            }
        }

        Assert.Equal("kept", (await server.Memory(store, first)).Text("content"));
        Assert.Equal(["/a/b", "/x"], (await server.Texts(store)).Keys);
        foreach (var path in (string[])["/a/bc", "/a/b0", "/a/b-c", "/A/b", "/ab"])
        {
            await server.NewMemory(store, path);
        }

        // A memory may move to a place below the one that it leaves.
        Assert.Equal("/x/y", (await server.Rewrite(store, other, new { path = "/x/y" })).Ok().Text("path"));
    }

    [Fact]
    public async Task A_precondition_that_does_not_hold_changes_nothing_unless_the_memory_is_so_already()
    {
        var store = await server.NewStore();
        var id = await server.NewMemory(store, "/a", "one");
        object With(string expected, string? content = null, string? path = null) => new
        {
            content, path, precondition = new { type = "content_sha256", content_sha256 = Memories.Sha256(expected) },
        };

        (await server.Rewrite(store, id, With("other", "two"))).Conflicts("memory_precondition_failed_error");
        (await server.Rewrite(store, id, With("other"))).Conflicts("memory_precondition_failed_error");
        Assert.Equal("one", (await server.Memory(store, id)).Text("content"));
        var changed = (await server.Rewrite(store, id, With("one", "two"))).Ok();
        var again = (await server.Rewrite(store, id, With("one", "two"))).Ok();
        JsonAssert.Equal(changed.GetRawText(), again);
        (await server.Rewrite(store, id, With("one", "two", "/b"))).Conflicts("memory_precondition_failed_error");
        (await server.Rewrite(store, id, With("two", "two", "/b"))).Ok();
        var path = $"/v1/memory_stores/{store}/memories/{id}?expected_content_sha256=";
        (await server.Delete(path + Memories.Sha256("one"))).Conflicts("memory_precondition_failed_error");
        (await server.Delete(path + Memories.Sha256("two"))).Ok();
        Assert.Equal(
            ["deleted", "modified", "modified", "created"],
            (await server.Versions(store)).Select(version => version.Text("operation")));
    }

    [Fact]
    public async Task A_list_is_in_the_order_of_paths_and_rolls_up_what_lies_deeper()
    {
        var store = await server.NewStore();
        string[] paths =
            ["/a-b", "/a/1", "/a/2/x", "/a/2/y", "/b", "/notes-archive/t", "/notes/t", "/z|é", "/\uE000", "/😀"];
        foreach (var path in paths.Reverse())
        {
            await server.NewMemory(store, path);
        }

        Assert.Equal(paths, await Walk(store, ""));
        Assert.Equal(paths, await Walk(store, "&depth=0&path_prefix=/"));
        Assert.Equal(
            ["/a-b", "/a/", "/b", "/notes-archive/", "/notes/", "/z|é", "/\uE000", "/😀"],
            await Walk(store, "&depth=1"));
        Assert.Equal(["/a/1", "/a/2/"], await Walk(store, "&depth=1&path_prefix=/a/"));
        Assert.Equal(["/notes/t"], await Walk(store, "&path_prefix=%2Fnotes%2F"));
        Assert.Empty(await Walk(store, "&path_prefix=/none/"));
        JsonAssert.Equal(
            """{"type":"memory_prefix","path":"/a/"}""",
            (await server.Get($"/v1/memory_stores/{store}/memories?depth=1&limit=2")).Ok().At("data.1"));
        var memories = $"/v1/memory_stores/{store}/memories";
        (await server.Get($"{memories}?depth=2")).Refused(400, "depth: '2' is not a number from 0 to 1.");
        (await server.Get($"{memories}?path_prefix=/a")).Refused(400, "path_prefix: must start and end with '/'.");
        (await server.Get($"{memories}?limit=101")).Refused(400, "limit: '101' is not a number from 1 to 100.");
        (await server.Get($"{memories}?view=x")).Refused(400, "view: 'x' is neither basic nor full.");
        var cursor = (await server.Get($"{memories}?limit=1")).Ok().Text("next_page");
        (await server.Get($"{memories}?depth=1&page={cursor}")).Refused(400, "page: this cursor does not");
    }

    [Fact]
    public async Task A_page_with_texts_has_at_most_twenty()
    {
        var store = await server.NewStore();
        for (var i = 0; i < 21; i++)
        {
            await server.NewMemory(store, $"/{i:00}", $"text {i}");
        }

        var full = (await server.Get($"/v1/memory_stores/{store}/memories?view=full&limit=100")).Ok();
        var basic = (await server.Get($"/v1/memory_stores/{store}/memories?limit=100")).Ok();

        Assert.Equal((20, 21), (full.At("data").GetArrayLength(), basic.At("data").GetArrayLength()));
        Assert.Equal(("text 3", null), (full.Text("data.3.content"), basic.Text("data.3.content")));
        Assert.Equal(21, (await server.Texts(store)).Count);
    }

    [Fact]
    public async Task A_memory_may_be_empty_or_as_large_as_the_limit_and_not_larger()
    {
        var store = await server.NewStore();
        var largest = new string('é', MemoryLimits.ContentBytesMax / 2);
        await server.NewMemory(store, "/empty", "");
        await server.NewMemory(store, "/largest", largest);

        (await server.Remember(store, "/larger", largest + "x"))
            .Refused(400, "content: has 102401 bytes, and a memory has at most 102400.");
        var id = await server.NewMemory(store, "/small", "small");
        (await server.Rewrite(store, id, new { content = largest + "x" })).Refused(400, "content: has 102401 bytes");

        Assert.Equal(["/empty", "/largest", "/small"], (await server.Texts(store)).Keys);
        Assert.Equal("small", (await server.Memory(store, id)).Text("content"));
    }

    [Fact]
    public async Task A_full_store_takes_no_more_and_what_is_in_it_can_still_be_changed()
    {
        var store = await server.NewStore();
        await Parallel.ForAsync(0, MemoryLimits.MemoriesMax, new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (i, _) => await server.NewMemory(store, $"/{i}"));

        (await server.Remember(store, "/one-more", "x")).Refused(400, $"Memory store '{store}' is full: it has 2000");
        var some = (await server.Get($"/v1/memory_stores/{store}/memories?limit=1")).Ok().Text("data.0.id");
        (await server.Rewrite(store, some, new { content = "changed", path = "/renamed" })).Ok();
        (await server.Delete($"/v1/memory_stores/{store}/memories/{some}")).Ok();
        await server.NewMemory(store, "/one-more");
        (await server.Remember(store, "/two-more", "x")).Refused(400, $"Memory store '{store}' is full");
    }

    [Fact]
    public async Task Of_many_that_make_the_same_memory_at_once_one_does()
    {
        var store = await server.NewStore();

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => server.Remember(store, "/same", $"{i}")));

        var made = Assert.Single(answers, answer => answer.Status == 200).Json;
        Assert.All(answers.Where(answer => answer.Status != 200), answer =>
        {
            answer.Conflicts("memory_path_conflict_error");
            Assert.Equal(made.Text("id"), answer.Json.Text("error.conflicting_memory_id"));
        });
        Assert.Single(await server.Versions(store));
    }

    [Fact]
    public async Task Words_are_found_in_texts_and_paths_the_most_first()
    {
        var store = await server.NewStore();
        await server.NewMemory(store, "/prefs/editor.md", "The user likes Vim. VIM it is, not emacs.");
        await server.NewMemory(store, "/other", "vim, once, among " + new string('x', 500) + " emacs");
        await server.NewMemory(store, "/vim/none", "nothing here");
        var search = $"/v1/memory_stores/{store}/search?q=";

        var found = (await server.Get(search + "vim")).Ok().At("data");

        Assert.Equal(["/prefs/editor.md", "/other", "/vim/none"], found.Texts("memory.path"));
        Assert.Equal((2, "memory_match"), (found.At("0.matches").GetInt32(), found.Text("0.type")));
        Assert.StartsWith("vim, once", found.Text("1.excerpt"), StringComparison.Ordinal);
        Assert.Equal(["/prefs/editor.md"], (await server.Get(search + "likes%20EMACS")).Ok().At("data")
            .Texts("memory.path"));
        Assert.Single((await server.Get(search + "vim&limit=1")).Ok().At("data").EnumerateArray());
        (await server.Get(search + "%20")).Refused(400, "q: must have words");
    }

    private async Task<IReadOnlyList<string>> Walk(string store, string query)
    {
        var (paths, page) = (new List<string>(), "");
        do
        {
            var answer = (await server.Get($"/v1/memory_stores/{store}/memories?limit=2{query}{page}")).Ok();
            paths.AddRange(answer.At("data").Texts("path"));
            page = answer.At("next_page").ValueKind == JsonValueKind.Null ? "" : $"&page={answer.Text("next_page")}";
        }
        while (page.Length > 0);
        return paths;
    }
}
