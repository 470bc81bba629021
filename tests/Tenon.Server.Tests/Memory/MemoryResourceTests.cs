using System.Text.Json;
using Tenon.Server.Sessions;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>Memory stores among a session's resources (api B.3), and what the model is told of them.</summary>
public sealed class MemoryResourceTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    [Fact]
    public async Task A_session_has_its_stores_as_they_were_when_it_was_made()
    {
        var (first, second) = (await server.NewStore("Demo Memory", ",\"description\":\"What we know\""),
            await server.NewStore("demo: memory"));
        var session = await server.NewSession("[]", $$"""
            "resources":[{"type":"memory_store","memory_store_id":"{{first}}","instructions":"Look first."},
             {"type":"memory_store","memory_store_id":"{{second}}","access":"read_only"}]
            """);
        (await server.Post($"/v1/memory_stores/{first}", """{"name":"Renamed","description":"other"}""")).Ok();

        var expected = $$"""
            [{"type":"memory_store","memory_store_id":"{{first}}","access":"read_write","instructions":"Look first.",
              "name":"Demo Memory","description":"What we know","mount_path":"/mnt/memory/demo-memory"},
             {"type":"memory_store","memory_store_id":"{{second}}","access":"read_only","instructions":null,
              "name":"demo: memory","description":"","mount_path":"/mnt/memory/demo-memory-2"}]
            """;
        JsonAssert.Equal(expected, session.Created.At("resources"));
        JsonAssert.Equal(expected, (await session.Get()).At("resources"));
        JsonAssert.Equal(expected, (await server.Get($"{session.Path}/resources")).Ok().At("data"));
        (await server.Post($"{session.Path}/resources", $$"""{"type":"memory_store","memory_store_id":"{{first}}"}"""))
            .Refused(400, "type: a memory store is attached when the session is created");
    }

    [Theory]
    [InlineData("Demo Memory", "demo-memory")]
    [InlineData("a", "a")]
    [InlineData("__A--b  c!", "-a-b-c-")]
    [InlineData("日本", "-")]
    [InlineData("é1", "-1")]
    public void A_directory_is_named_after_its_store(string name, string slug) =>
        Assert.Equal(slug, MemoryResourceRules.Slug(name));

    [Fact]
    public async Task Two_stores_of_the_longest_name_have_directories_of_their_own()
    {
        var name = new string('n', 255);
        var (first, second) = (await server.NewStore(name), await server.NewStore(name));

        var session = await server.NewSession("[]", $$"""
            "resources":[{"type":"memory_store","memory_store_id":"{{first}}"},
             {"type":"memory_store","memory_store_id":"{{second}}"}]
            """);

        Assert.Equal(
            ["/mnt/memory/" + name, "/mnt/memory/" + name[..253] + "-2"],
            session.Created.At("resources").Texts("mount_path"));
    }

    [Fact]
    public async Task Files_beside_stores_are_attached_and_refused_under_their_own_place_in_the_list()
    {
        var store = await server.NewStore();
        var memory = $$"""{"type":"memory_store","memory_store_id":"{{store}}"}""";
        (await Create($"{memory},{{\"type\":\"file\",\"file_id\":\"file_x\"}}"))
            .Refused(400, "resources.1.file_id: file 'file_x' was not found.");

        Assert.Equal(0, (await server.Get($"/v1/sessions?memory_store_id={store}")).Ok().At("data").GetArrayLength());
    }

    [Fact]
    public async Task More_than_eight_stores_are_refused()
    {
        var stores = new List<string>();
        for (var i = 0; i < 9; i++)
        {
            stores.Add($$"""{"type":"memory_store","memory_store_id":"{{await server.NewStore()}}"}""");
        }

        (await Create(string.Join(',', stores))).Refused(400, "resources.8: a session has at most 8 memory stores.");
        (await Create(string.Join(',', stores.Take(8)))).Ok();
        (await Create($"{stores[0]},{stores[0]}")).Refused(400, "resources.1.memory_store_id: memory store '");
    }

    [Fact]
    public async Task Sessions_are_found_by_their_store_as_long_as_they_are_there()
    {
        var (store, other) = (await server.NewStore(), await server.NewStore());
        var resource = $$"""
            "resources":[{"type":"memory_store","memory_store_id":"{{store}}"}]
            """;
        var (first, second) = (await server.NewSession("[]", resource), await server.NewSession("[]", resource));
        await server.NewSession();
        var fork = (await server.Post($"{second.Path}/fork", "{}")).Ok().Text("id");

        async Task<IReadOnlyList<string>> Of(string id) =>
            (await server.Get($"/v1/sessions?memory_store_id={id}&order=asc")).Ok().At("data").Texts("id");
        Assert.Equal([first.Id, second.Id, fork], await Of(store));
        Assert.Empty(await Of(other));
        (await server.Delete(first.Path)).Ok();
        (await server.Delete($"/v1/memory_stores/{store}")).Ok();
        Assert.Equal([second.Id, fork], await Of(store));
    }

    [Fact]
    public async Task A_self_hosted_session_has_its_stores_and_the_model_is_told_of_them()
    {
        var store = await server.NewStore("Notes");
        var session = await server.NewSession(Tools, $$"""
            "environment_id":"{{await server.NewEnvironment("self_hosted")}}",
            "resources":[{"type":"memory_store","memory_store_id":"{{store}}"}]
            """);
        session.Model.Says("hello");

        await session.Run(TestSession.Says("hi"));

        Assert.Contains("/mnt/memory/notes", session.Model.Requests.Single().System, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_model_is_told_of_every_store_in_the_same_words_for_the_whole_session()
    {
        var store = await server.NewStore("Demo Memory", ",\"description\":\"What we know\"");
        var fixedStore = await server.NewStore("Rules");
        var session = await server.NewSession(Tools, $$"""
            "resources":[{"type":"memory_store","memory_store_id":"{{store}}","instructions":"Look first."},
             {"type":"memory_store","memory_store_id":"{{fixedStore}}","access":"read_only"}]
            """);
        session.Model.Calls("bash", """{"command":"echo x > /mnt/memory/demo-memory/x"}""").Says("one").Says("two");
        await session.Run(TestSession.Says("hi"));
        (await server.Post($"/v1/memory_stores/{store}", """{"name":"Renamed","description":"other"}""")).Ok();
        await session.Run(TestSession.Says("again"));

        var told = session.Model.Requests.Select(request => request.System).Distinct().Single()!;

        Assert.EndsWith("""
            - Demo Memory
              Path: /mnt/memory/demo-memory
              Access: read and write
              Description: What we know
              Instructions: Look first.

            - Rules
              Path: /mnt/memory/rules
              Access: read-only
            """.ReplaceLineEndings("\n"), told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_without_a_store_is_told_nothing_of_memory()
    {
        var session = await server.NewSession(Tools);
        session.Model.Says("hello");

        await session.Run(TestSession.Says("hi"));

        Assert.DoesNotContain("emory", session.Model.Requests.Single().System, StringComparison.Ordinal);
    }

    private async Task<Support.Answer> Create(string resources) => await server.Post("/v1/sessions", $$"""
        {"agent":"{{await server.NewAgent()}}","environment_id":"{{await server.NewEnvironment()}}",
         "resources":[{{resources}}]}
        """);
}
