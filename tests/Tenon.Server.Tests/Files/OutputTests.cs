using Microsoft.Extensions.DependencyInjection;
using System.Net;
using System.Text;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>What an agent writes to /mnt/session/outputs is listed by its session's scope, and downloaded.</summary>
public sealed class OutputTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_file_that_the_agent_wrote_is_listed_and_downloaded_as_it_was_written()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("printf 'a,b\\n' > /mnt/session/outputs/report.csv");

        var file = Assert.Single(await Listed(session));
        var (status, bytes, headers) = await server.Download(file.Text("id"));

        JsonAssert.Equal($$"""
            {"type":"file","id":"{{file.Text("id")}}","filename":"report.csv","mime_type":"text/csv","size_bytes":4,
             "created_at":"{{file.Text("created_at")}}","downloadable":true,"expires_at":null,
             "scope":{"type":"session","id":"{{session.Id}}"} }
            """, file);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("a,b\n", Encoding.UTF8.GetString(bytes));
        Assert.Equal(("text/csv", 4), (headers.ContentType!.MediaType, headers.ContentLength));
        Assert.Equal("attachment", headers.ContentDisposition!.DispositionType);
    }

    [Fact]
    public async Task A_file_is_listed_while_the_command_that_wrote_it_still_runs()
    {
        var session = await server.NewSession(Tools);
        session.Model.Calls("bash", """{"command":"echo early > /outputs/early.txt; sleep 600"}""").Says("stopped");
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        await session.Send(TestSession.Says("go"));

        while ((await Listed(session)).Count == 0)
        {
            late.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        Assert.Equal("running", (await session.Get()).Text("status"));
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task A_file_keeps_its_id_until_it_is_written_to_again()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > /outputs/f; echo other > /outputs/g");
        var first = await Ids(session);
        Assert.Equal(first, await Ids(session));

        await session.Shell("echo two > /outputs/f");
        var second = await Ids(session);

        Assert.Equal((2, first["g"]), (second.Count, second["g"]));
        Assert.NotEqual(first["f"], second["f"]);
        (await server.Get($"/v1/files/{first["f"]}")).Refused(404, "File '");
        Assert.Equal("two\n"u8.ToArray(), (await server.Download(second["f"])).Bytes);
    }

    [Fact]
    public async Task A_file_that_the_agent_removed_is_listed_no_more()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > /outputs/f; echo other > /outputs/g");
        var before = await Ids(session);

        await session.Shell("rm /outputs/f");

        Assert.Equal(["g"], (await Ids(session)).Keys);
        Assert.False(File.Exists(Path.Combine(server.DataDirectory, "files", before["f"])));
    }

    [Fact]
    public async Task A_file_that_the_client_deleted_does_not_come_back_unless_it_is_written_again()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo one > /outputs/f");
        (await server.Delete($"/v1/files/{(await Ids(session))["f"]}")).Ok();
        Assert.Empty(await Listed(session));

        await session.Shell("echo two > /outputs/f");

        Assert.Equal(["f"], (await Ids(session)).Keys);
    }

    [Fact]
    public async Task Links_pipes_and_what_they_lead_to_are_never_shown()
    {
        var session = await server.NewSession(Tools);
        var secret = Path.Combine(server.DataDirectory, "tenon.db");

        await session.Shell($"""
            cd /mnt/session/outputs
            ln -s /etc/passwd link; ln -s {secret} database; ln -s /etc folder; ln -s . loop; mkfifo pipe
            ln -s ../../../../../../../../etc up; mkdir -p a/b; echo deep > a/b/deep.txt
            echo odd > "$(printf 'o\nd"d')"
            python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")' 2>/dev/null
            mkdir shut; echo x > shut/hidden; chmod 000 shut/hidden; true
            """);
        var names = (await Listed(session)).Select(file => file.Text("filename")).ToHashSet();

        names.Remove("hidden"); // A server that is root may read what its owner may not.
        Assert.Equal(["deep.txt", "o_d_d"], names.Order());
    }

    [Fact]
    public async Task More_files_than_the_limit_do_not_make_the_list_longer()
    {
        var session = await server.NewSession(Tools);

        await session.Shell($"cd /outputs; for i in $(seq {OutputFolder.FilesMax + 5}); do : > f$i; done");

        var first = (await server.Get($"/v1/files?scope_id={session.Id}&limit=1000")).Ok();
        Assert.Equal(OutputFolder.FilesMax, first.At("data").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, first.At("next_page").ValueKind);
    }

    [Fact]
    public async Task Files_that_are_too_large_are_not_shown_even_if_they_are_holes()
    {
        var session = await server.NewSession(Tools);

        await session.Shell("cd /outputs; truncate -s 501M large; truncate -s 400G huge; echo small > small");

        Assert.Equal(["small"], (await Ids(session)).Keys);
    }

    [Fact]
    public async Task Outputs_are_found_when_the_session_goes_idle_and_not_only_when_they_are_listed()
    {
        await using var own = await TestServer.Start();
        using var watcher = new FileSystemWatcher(Path.Combine(own.DataDirectory, "files"));
        var kept = new TaskCompletionSource<string>();
        watcher.Renamed += (_, renamed) => kept.TrySetResult(renamed.Name!);
        watcher.EnableRaisingEvents = true;
        var session = await own.NewSession(Tools);

        await session.Shell("echo one > /outputs/f");

        Assert.StartsWith("file_", await kept.Task.WaitAsync(Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outputs_go_with_their_session_and_outlast_a_restart()
    {
        await using var own = await TestServer.Start();
        var session = await own.NewSession(Tools);
        await session.Shell("echo one > /outputs/f");
        var id = (await own.Get($"/v1/files?scope_id={session.Id}")).Ok().Text("data.0.id");

        await own.Restart();
        Assert.Equal(id, (await own.Get($"/v1/files?scope_id={session.Id}")).Ok().Text("data.0.id"));
        Assert.Equal("one\n"u8.ToArray(), (await own.Download(id)).Bytes);
        (await own.Delete(session.Path)).Ok();

        (await own.Get($"/v1/files/{id}")).Refused(404, "File '");
        Assert.Empty((await own.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").EnumerateArray());
        Assert.Empty(Directory.GetFiles(Path.Combine(own.DataDirectory, "files")));
    }

    [Fact]
    public async Task An_output_of_one_session_can_be_given_to_another()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo handed on > /outputs/f");
        var id = (await Ids(session))["f"];

        var next = await server.NewSession(Tools, ResourceTests.Resources(ResourceTests.Mounting(id, "f")));

        Assert.Equal("handed on", (await next.Shell("cat /uploads/f")).Trim());
    }

    private async Task<IReadOnlyList<JsonElement>> Listed(TestSession session) =>
        [.. (await server.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").EnumerateArray()];

    private async Task<Dictionary<string, string>> Ids(TestSession session) =>
        (await Listed(session)).ToDictionary(file => file.Text("filename"), file => file.Text("id"));
}
