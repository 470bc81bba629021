using Microsoft.Extensions.DependencyInjection;
using System.Globalization;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Sessions;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Memory;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Backups;

/// <summary>An installation is put into a file while it is served, and goes on elsewhere.</summary>
public sealed class BackupTests : IDisposable
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private readonly BackupLab _lab = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _lab.Dispose();

    [Fact]
    public async Task What_a_serving_server_holds_is_restored_and_goes_on()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var file = await server.NewFile("a,b\n1,2\n");
        var idle = await server.NewSession(Tools,
            $$"""
            "resources":[{"type":"file","file_id":"{{file}}","mount_path":"/mnt/session/uploads/in/data.csv"}]
            """);
        Assert.Equal("(no output)", await idle.Shell(
            "mkdir -p dir; echo kept > dir/file; cp /mnt/session/uploads/in/data.csv /mnt/session/outputs"));
        var running = await server.NewSession();
        running.Model.SaysAndHangs("half");
        await running.Send(TestSession.Says("go on after a restore"));
        await running.Model.Asked(Cancelled);
        var (code, said) = _lab.Backup(server.DataDirectory);
        Assert.True(code == 0, said);
        var before = (await idle.List()).GetRawText();

        Assert.Equal((0, $"Restored. Start it with: ./tenon serve --data {_lab.Data}"), Last(_lab.Restore()));
        await using var restored = await TestServer.StartOn(
            _lab.Data, models => models.Of(running.ModelName).Says("whole"));

        Assert.Equal(before, (await Of(idle, restored).List()).GetRawText());
        var output = (await restored.Get($"/v1/files?scope_id={idle.Id}")).Ok().At("data").EnumerateArray()
            .Single(listed => listed.At("downloadable").GetBoolean());
        Assert.Equal("a,b\n1,2\n"u8.ToArray(), (await restored.Download(output.Text("id"))).Bytes);
        Assert.Equal("kept\na,b\n1,2", await Of(idle, restored).Shell(
            "cat dir/file /mnt/session/uploads/in/data.csv"));
        Assert.Equal(
            (await idle.Get()).Text("created_at"), (await Of(idle, restored).Get()).Text("created_at"));
        await Of(running, restored).UntilIdle(Cancelled);
        Assert.Equal("whole", (await Of(running, restored).List()).EnumerateArray()
            .Single(@event => @event.Text("type") == "agent.message").Text("content.0.text"));
    }

    [Fact]
    public async Task A_memory_store_is_restored_with_every_version_and_its_session_goes_on_with_it()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var store = await server.NewStore();
        var memory = await server.NewMemory(store, "/lamps/red.md", "three of them");
        (await server.Rewrite(store, memory, new { content = "two of them" })).Ok();
        var first = (await server.Versions(store))[1].Text("id");
        (await server.Post($"/v1/memory_stores/{store}/memory_versions/{first}/redact")).Ok();
        var session = await server.NewSession(Tools, $$"""
            "resources":[{"type":"memory_store","memory_store_id":"{{store}}"}]
            """);
        await session.Shell("echo of the agent > /mnt/memory/notes/own");
        var before = Shown(await server.Versions(store, "&view=full"));
        Assert.Equal(0, _lab.Backup(server.DataDirectory).Code);
        (await server.Rewrite(store, memory, new { content = "after the backup" })).Ok();

        Assert.Equal(0, _lab.Restore().Code);
        await using var restored = await TestServer.StartOn(_lab.Data);

        Assert.Equal(before, Shown(await restored.Versions(store, "&view=full")));
        Assert.Equal(
            new() { ["/lamps/red.md"] = "two of them", ["/own"] = "of the agent\n" }, await restored.Texts(store));
        Assert.Equal("/lamps/red.md",
            (await restored.Get($"/v1/memory_stores/{store}/search?q=two")).Ok().At("data.0").Text("memory.path"));
        Assert.Equal("two of themof the agent", await Of(session, restored).Shell(
            "cd /mnt/memory/notes; cat lamps/red.md own; echo more > more"));
        Assert.Equal("more\n", (await restored.Texts(store))["/more"]);

        static string Shown(IReadOnlyList<JsonElement> versions) =>
            string.Join('\n', versions.Select(version => version.GetRawText()));
    }

    [Fact]
    public async Task Bytes_that_are_in_S3_are_not_in_a_backup_which_says_so_and_is_restored_without_them()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var file = await server.NewFile();
        File.Delete(Path.Combine(server.DataDirectory, "files", file));

        var (code, said) = _lab.BackupWithoutBlobs(server.DataDirectory);

        Assert.True(code == 0, said);
        Assert.Contains(
            "The bytes of files are not in it: they stay in the bucket bucket/tenon/ at http://127.0.0.1:1/.", said,
            StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", said, StringComparison.Ordinal);
        Assert.DoesNotContain(_lab.Names(), name => name.StartsWith("files/", StringComparison.Ordinal));
        Assert.Equal(0, _lab.Restore().Code);
        await using var restored = await TestServer.StartOn(_lab.Data);
        Assert.Equal(file, (await restored.Get($"/v1/files/{file}")).Ok().Text("id"));
    }

    [Fact]
    public async Task Owners_modes_links_and_times_of_a_sandboxs_files_are_kept_and_what_leads_out_is_only_a_name()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var session = await server.NewSession(Tools);
        await session.Shell("""
            mkdir -p a/b; echo one > a/b/file; ln a/b/file hard; ln -s ../hard a/soft; ln -s /etc/shadow out
            ln -s /etc dirs; chmod 0640 a/b/file; chmod 0510 a/b; echo x > program; chmod 0755 program
            touch -d 2020-02-03T04:05:06.123456 program; touch -d 2019-01-01T00:00:00 a; mkfifo pipe; printf é > 'ü ñ'
            """);

        // The shell's state is among the files, and is written when the shell is quiet.
        await server.Services.GetRequiredService<IGrainFactory>().GetGrain<ISessionGrain>(session.Id).Settle();
        Assert.Equal(0, _lab.Backup(server.DataDirectory).Code);
        Assert.Equal(0, _lab.Restore().Code);

        var was = Tree(SandboxOf(server.DataDirectory, session.Id));
        var workspace = Path.Combine(SandboxOf(_lab.Data, session.Id), "workspace");
        Assert.Equal(was, Tree(SandboxOf(_lab.Data, session.Id)));
        Assert.Equal(10, was.Count(line => line.StartsWith("workspace", StringComparison.Ordinal)));
        Assert.Equal("/etc/shadow", new FileInfo(Path.Combine(workspace, "out")).LinkTarget);
        Assert.False(Path.Exists(Path.Combine(workspace, "pipe")));
        Assert.DoesNotContain(_lab.Names(), name => name.Contains("dirs/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_life_of_a_sandbox_stays_on_the_machine_where_it_is()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var session = await server.NewSession(Tools);
        await session.Shell("true");
        var living = Record(server.DataDirectory, session.Id);
        Assert.Equal(0, _lab.Backup(server.DataDirectory).Code);
        Assert.Equal(0, _lab.Restore().Code);

        var restored = Record(_lab.Data, session.Id);

        Assert.NotEqual(JsonValueKind.Null, living.At("socket").ValueKind);
        Assert.Equal(JsonValueKind.Null, restored.At("socket").ValueKind);
        Assert.Equal(JsonValueKind.Null, restored.At("instance").ValueKind);
        Assert.Equal(0, restored.At("pid").GetInt32());
        Assert.Equal(living.At("uid").GetRawText(), restored.At("uid").GetRawText());
    }

    [Fact]
    public async Task Clients_keep_their_key_and_only_the_owner_can_read_the_file()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        const string Hash = "ab12";
        await File.WriteAllTextAsync(Path.Combine(server.DataDirectory, "api-key.sha256"), Hash, Cancelled);
        await File.WriteAllTextAsync(Path.Combine(server.DataDirectory, "later.key"), "of a later version", Cancelled);

        Assert.Equal(0, _lab.Backup(server.DataDirectory).Code);
        Assert.Equal(0, _lab.Restore().Code);

        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_lab.File_));
        Assert.Equal(Hash, await File.ReadAllTextAsync(Path.Combine(_lab.Data, "api-key.sha256"), Cancelled));
        foreach (var name in (string[])["api-key.sha256", "later.key", "tenon.db"])
        {
            Assert.Equal(OwnerOnly, File.GetUnixFileMode(Path.Combine(_lab.Data, name)));
        }
    }

    [Fact]
    public async Task Backups_that_are_made_while_sessions_work_hold_whole_histories()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var sessions = new List<TestSession>();
        for (var i = 0; i < 4; i++)
        {
            // With a history from the start: the first backup may be over before another turn is.
            sessions.Add(await server.NewSession());
            sessions[i].Model.Says("at once");
            await sessions[i].Run(TestSession.Says("first"));
        }

        using var stop = new CancellationTokenSource();
        var work = Task.WhenAll(sessions.Select(session => Task.Run(async () =>
        {
            for (var turn = 0; !stop.IsCancellationRequested; turn++)
            {
                session.Model.Says($"answer {turn}");
                await session.Run(TestSession.Says($"question {turn}"));
                await server.NewFile($"{session.Id} {turn}");
            }
        })));
        var made = Enumerable.Range(0, 5)
            .Select(i => _lab.Backup(server.DataDirectory, Path.Combine(_lab.Folder, $"{i}.tar.gz"))).ToList();
        await stop.CancelAsync();
        await work;

        Assert.All(made, backup => Assert.True(backup.Code == 0, backup.Said));
        Assert.Equal(0, _lab.Restore(Path.Combine(_lab.Folder, "4.tar.gz")).Code);
        await using var restored = await TestServer.StartOn(_lab.Data);
        foreach (var session in sessions)
        {
            var now = (await session.List()).EnumerateArray().Select(@event => @event.Text("id")).ToList();
            var then = (await Of(session, restored).List()).EnumerateArray().Select(@event => @event.Text("id"))
                .Where(now.Contains).ToList();
            Assert.NotEmpty(then);
            Assert.Equal(now.Take(then.Count), then);
        }
    }

    [Fact]
    public async Task What_was_deleted_is_not_in_the_backup()
    {
        await using var server = await TestServer.StartOn(_lab.Source);
        var session = await server.NewSession(Tools);
        await session.Shell("echo secret-of-a-deleted-session > file");
        var file = await server.NewFile("deleted");
        (await server.Delete(session.Path)).Ok();
        (await server.Delete($"/v1/files/{file}")).Ok();

        Assert.Equal(0, _lab.Backup(server.DataDirectory).Code);

        Assert.DoesNotContain(_lab.Names(), name =>
            name.Contains(session.Id, StringComparison.Ordinal) || name.Contains(file, StringComparison.Ordinal));
        using var database = _lab.Entries().Single(entry => entry.Name == "tenon.db").DataStream!;
        using var bytes = new MemoryStream();
        await database.CopyToAsync(bytes, Cancelled);
        Assert.Equal(-1, bytes.ToArray().AsSpan().IndexOf("secret-of-a-deleted-session"u8));
    }

    private static (int, string) Last((int Code, string Said) run) => (run.Code, run.Said.TrimEnd().Split('\n')[^1]);

    private static TestSession Of(TestSession session, TestServer server) =>
        session with { Server = server, Model = server.Models.Of(session.ModelName) };

    private static JsonElement Record(string data, string id) =>
        JsonElement.Parse(File.ReadAllText(Path.Combine(SandboxOf(data, id), "sandbox.json")));

    private static string SandboxOf(string data, string id) =>
        new SandboxFiles(new SandboxOptions { DataDirectory = data, HandPath = "" }).FolderOf(id).Path;

    /// <summary>A line for everything the agent made.</summary>
    private static List<string> Tree(string folder)
    {
        var lines = new List<string>();
        foreach (var path in (string[])["workspace", "outputs", "home", "uploads"])
        {
            var disk = Path.Combine(folder, "disk", path);
            Describe(Directory.Exists(disk) ? disk : Path.Combine(folder, path), path, lines);
        }

        return [.. lines.Order(StringComparer.Ordinal)];
    }

    private static void Describe(string path, string name, List<string> lines)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            lines.Add($"{name} -> {target}");
            return;
        }

        using var opened = LinuxCalls.OpenBeneath(path)!;
        var status = LinuxCalls.Status(opened)!.Value;
        if (status is { IsRegular: false, IsDirectory: false })
        {
            return;
        }

        lines.Add(string.Create(CultureInfo.InvariantCulture,
            $"{name} {status.Permissions} {status.Owner}:{status.Group} {status.Seconds}.{status.Nanoseconds / 100} {
                (status.IsRegular ? $"{status.Links} {File.ReadAllText(path)}" : "")}"));
        foreach (var inner in status.IsDirectory ? Directory.GetFileSystemEntries(path) : [])
        {
            Describe(inner, $"{name}/{Path.GetFileName(inner)}", lines);
        }
    }
}
