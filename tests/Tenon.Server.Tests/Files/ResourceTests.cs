using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>Files as resources of a session (api A.7, B.3).</summary>
public sealed class ResourceTests(TestServer server)
{
    [Fact]
    public async Task A_session_gets_a_copy_with_an_id_of_its_own_that_shares_the_bytes()
    {
        var file = await server.NewFile();

        var session = await server.NewSession(fields: Resources(Mounting(file, "data.csv")));

        var resource = session.Created.At("resources").EnumerateArray().Single();
        JsonAssert.Equal($$"""
            {"type":"file","id":"{{resource.Text("id")}}","file_id":"{{resource.Text("file_id")}}",
             "mount_path":"/mnt/session/uploads/data.csv","created_at":"{{resource.Text("created_at")}}",
             "updated_at":"{{resource.Text("created_at")}}"}
            """, resource);
        Assert.StartsWith("sesrsc_", resource.Text("id"), StringComparison.Ordinal);
        Assert.NotEqual(file, resource.Text("file_id"));
        var copy = (await server.Get($"/v1/files/{resource.Text("file_id")}")).Ok();
        JsonAssert.Equal($$"""{"type":"session","id":"{{session.Id}}"}""", copy.At("scope"));
        Assert.Equal("data.csv", copy.Text("filename"));
        Assert.False(File.Exists(Path.Combine(server.DataDirectory, "files", copy.Text("id"))));
    }

    [Theory]
    [InlineData("data.csv", "/mnt/session/uploads/data.csv")]
    [InlineData("/data.csv", "/mnt/session/uploads/data.csv")]
    [InlineData("/uploads/data.csv", "/uploads/data.csv")]
    [InlineData("/mnt/session/uploads/a/b.csv", "/mnt/session/uploads/a/b.csv")]
    [InlineData("/workspace/data.csv", "/mnt/session/uploads/workspace/data.csv")]
    [InlineData("/ü ✓/..data", "/mnt/session/uploads/ü ✓/..data")]
    public async Task A_mount_path_lies_below_the_uploads(string sent, string answered)
    {
        var session = await server.NewSession(fields: Resources(Mounting(await server.NewFile(), sent)));

        Assert.Equal(answered, session.Created.Text("resources.0.mount_path"));
    }

    [Theory]
    [InlineData("../data.csv")]
    [InlineData("/a/../../etc/passwd")]
    [InlineData("/mnt/session/uploads/../outputs/x")]
    [InlineData("a/./b")]
    [InlineData("a//b")]
    [InlineData("dir/")]
    [InlineData("/")]
    [InlineData("")]
    [InlineData("/uploads/")]
    [InlineData("a\\u0000b")]
    [InlineData("a\\nb")]
    public async Task A_mount_path_that_leads_elsewhere_is_refused(string path)
    {
        var session = await server.NewSession();

        (await Add(session, Mounting(await server.NewFile(), path)))
            .Refused(400, "mount_path: must be the path of a file below /mnt/session/uploads");
    }

    [Fact]
    public async Task Two_files_do_not_get_one_path_and_none_lies_in_another()
    {
        var file = await server.NewFile();
        var session = await server.NewSession(fields: Resources(Mounting(file, "a/b")));

        foreach (var taken in (string[])["a/b", "/uploads/a/b", "a", "a/b/c"])
        {
            (await Add(session, Mounting(file, taken))).Refused(400, "mount_path: '");
        }

        (await Add(session, Mounting(file, "a/bc"))).Ok();
        (await Create(Mounting(file, "x"), Mounting(file, "/x")))
            .Refused(400, "resources.1.mount_path: '/mnt/session/uploads/x' is taken by another file");
    }

    [Fact]
    public async Task A_session_gets_all_of_its_files_or_is_not_made()
    {
        await using var own = await TestServer.Start();
        var file = await own.NewFile();
        var gone = await own.NewFile();
        (await own.Delete($"/v1/files/{gone}")).Ok();
        var agent = await own.NewAgent();
        var environment = await own.NewEnvironment();

        (await own.Post("/v1/sessions", $$"""
            {"agent":"{{agent}}","environment_id":"{{environment}}",
             "resources":[{{Mounting(file, "a")}},{{Mounting(gone, "b")}}]}
            """)).Refused(400, $"resources.1.file_id: file '{gone}' was not found.");

        Assert.Empty((await own.Get("/v1/sessions")).Ok().At("data").EnumerateArray());
        Assert.Equal([file], (await own.Get("/v1/files")).Ok().At("data").Texts("id"));
    }

    [Fact]
    public async Task A_session_has_at_most_500_files()
    {
        var file = await server.NewFile();
        var many = Enumerable.Range(0, 501).Select(i => Mounting(file, $"f{i}")).ToArray();

        (await Create(many)).Refused(400, "resources.500.file_id: a session has at most 500 files.");
        var session = (await Create(many[..500])).Ok();

        Assert.Equal(500, session.At("resources").GetArrayLength());
        (await server.Post($"/v1/sessions/{session.Text("id")}/resources", many[500]))
            .Refused(400, "file_id: a session has at most 500 files.");
    }

    [Fact]
    public async Task Resources_are_added_listed_read_and_removed()
    {
        var file = await server.NewFile();
        var session = await server.NewSession(fields: Resources(Mounting(file, "a")));
        var path = $"{session.Path}/resources";
        var added = (await server.Post(path, $$"""{"type":"file","file_id":"{{file}}"}""")).Ok();
        var first = session.Created.Text("resources.0.id");
        var second = added.Text("id");

        Assert.Equal($"/mnt/session/uploads/{file}", added.Text("mount_path"));
        var all = (await server.Get(path)).Ok();
        Assert.Equal([first, second], all.At("data").Texts("id"));
        Assert.Equal(JsonValueKind.Null, all.At("next_page").ValueKind);
        var page = (await server.Get($"{path}?limit=1")).Ok();
        var rest = (await server.Get($"{path}?limit=1&page={page.Text("next_page")}")).Ok();
        Assert.Equal([first, second], [.. page.At("data").Texts("id"), .. rest.At("data").Texts("id")]);
        JsonAssert.Equal(added.GetRawText(), (await server.Get($"{path}/{second}")).Ok());
        (await server.Post($"{path}/{second}", """{"authorization_token":"t"}"""))
            .Refused(400, "authorization_token: only github_repository resources have a token.");

        JsonAssert.Equal(
            $$"""{"id":"{{second}}","type":"session_resource_deleted"}""",
            (await server.Delete($"{path}/{second}")).Ok());

        Assert.Equal([first], (await session.Get()).At("resources").Texts("id"));
        (await server.Get($"{path}/{second}")).Refused(404, $"Resource '{second}' was not found.");
        (await server.Delete($"{path}/{second}")).Refused(404, $"Resource '{second}' was not found.");
        (await server.Get($"/v1/files/{added.Text("file_id")}")).Refused(404, "File '");
        (await server.Get($"/v1/files/{file}")).Ok();
    }

    [Fact]
    public async Task Unknown_kinds_are_refused()
    {
        (await Create("""{"type":"x"}""")).Refused(400, "resources.0.type: 'x' is not one of file,");
        (await Create("""{"type":"file"}""")).Refused(400, "resources.0.file_id: field required");
        (await Create("null")).Refused(400, "resources.0: null is not allowed");
    }

    [Fact]
    public async Task The_resources_of_an_archived_session_can_be_read_and_not_changed()
    {
        var file = await server.NewFile();
        var session = await server.NewSession(fields: Resources(Mounting(file, "a")));
        var id = session.Created.Text("resources.0.id");
        (await server.Post($"{session.Path}/archive")).Ok();

        Assert.Equal([id], (await server.Get($"{session.Path}/resources")).Ok().At("data").Texts("id"));
        (await server.Get($"{session.Path}/resources/{id}")).Ok();
        (await Add(session, Mounting(file, "b"))).Refused(409, $"Session '{session.Id}' is archived");
        (await server.Delete($"{session.Path}/resources/{id}")).Refused(409, $"Session '{session.Id}' is archived");
    }

    [Fact]
    public async Task A_sessions_files_are_listed_by_its_scope_and_go_with_it()
    {
        var file = await server.NewFile();
        var session = await server.NewSession(fields: Resources(Mounting(file, "a"), Mounting(file, "b")));
        var copies = session.Created.At("resources").Texts("file_id");
        var listed = (await server.Get($"/v1/files?scope_id={session.Id}")).Ok();
        Assert.Equal(copies.Reverse(), listed.At("data").Texts("id"));

        (await server.Delete(session.Path)).Ok();

        Assert.Empty((await server.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").EnumerateArray());
        (await server.Get($"/v1/files/{copies[0]}")).Refused(404, "File '");
        (await server.Get($"/v1/files/{file}")).Ok();
        Assert.True(File.Exists(Path.Combine(server.DataDirectory, "files", file)));
    }

    [Fact]
    public async Task Resources_outlast_a_restart()
    {
        await using var own = await TestServer.Start();
        var session = await own.NewSession(fields: Resources(Mounting(await own.NewFile(), "a")));

        await own.Restart();

        JsonAssert.Equal(
            session.Created.At("resources").GetRawText(), (await own.Get(session.Path)).Ok().At("resources"));
    }

    internal static string Resources(params string[] resources) => $"\"resources\":[{string.Join(',', resources)}]";

    internal static string Mounting(string fileId, string path) =>
        $$"""{"type":"file","file_id":"{{fileId}}","mount_path":"{{path}}"}""";

    private Task<Answer> Add(TestSession session, string resource) =>
        server.Post($"{session.Path}/resources", resource);

    private async Task<Answer> Create(params string[] resources) => await server.Post("/v1/sessions", $$"""
        {"agent":"{{await server.NewAgent()}}","environment_id":"{{await server.NewEnvironment()}}",
         {{Resources(resources)}}}
        """);
}
