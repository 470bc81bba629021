using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>Memory stores in the sandboxes of sessions (api F.1, G).</summary>
public sealed class MemoryMountTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_an_agent_writes_is_a_version_of_its_session_when_its_result_is_there()
    {
        var store = await server.NewStore("Demo Memory");
        await server.NewMemory(store, "/known/before.md", "from the client");
        var session = await Session(store);

        Assert.Equal("from the client", await session.Shell("cat /mnt/memory/demo-memory/known/before.md"));
        await session.Shell("cd /mnt/memory/demo-memory; mkdir -p a/b; echo one > a/b/note.md; echo two > top.md");

        Assert.Equal(
            new() { ["/known/before.md"] = "from the client", ["/a/b/note.md"] = "one\n", ["/top.md"] = "two\n" },
            await server.Texts(store));
        var version = (await server.Versions(store, $"&session_id={session.Id}"))[0];
        Assert.Equal("created", version.Text("operation"));
        JsonAssert.Equal(
            $$"""{"type":"session_actor","session_id":"{{session.Id}}"}""", version.At("created_by"));
    }

    [Fact]
    public async Task All_tools_write_and_a_file_that_is_changed_moved_or_removed_is_the_same_memory()
    {
        var store = await server.NewStore();
        var (edited, moved, gone) = (await server.NewMemory(store, "/edited", "old text"),
            await server.NewMemory(store, "/moved", "moved"), await server.NewMemory(store, "/gone", "gone"));
        var session = await Session(store);
        session.Model
            .Calls("write", """{"file_path":"/mnt/memory/notes/written","content":"new"}""")
            .Calls("edit", """
                {"file_path":"/mnt/memory/notes/edited","old_string":"old","new_string":"newer"}
                """, "call_2")
            .Calls("bash", """{"command":"cd /mnt/memory/notes; mkdir d; mv moved d/moved; rm gone"}""", "call_3")
            .Says("done");

        await session.Run(TestSession.Says("go"));

        Assert.Equal(
            new() { ["/d/moved"] = "moved", ["/edited"] = "newer text", ["/written"] = "new" },
            await server.Texts(store));
        Assert.Equal("newer text", (await server.Memory(store, edited)).Text("content"));
        Assert.Equal("/d/moved", (await server.Memory(store, moved)).Text("path"));
        (await server.Get($"/v1/memory_stores/{store}/memories/{gone}")).Refused(404, "Memory '");
        Assert.Equal(
            ["created", "modified", "modified", "deleted"],
            (await server.Versions(store, $"&session_id={session.Id}")).Select(version => version.Text("operation"))
                .OrderBy(operation => Array.IndexOf(["created", "modified", "deleted"], operation)));
    }

    [Fact]
    public async Task A_read_only_store_and_the_rest_of_the_folder_take_nothing()
    {
        var (shared, own) = (await server.NewStore("Shared"), await server.NewStore("Own"));
        await server.NewMemory(shared, "/rule", "kept");
        var session = await Session($$"""
            {"type":"memory_store","memory_store_id":"{{shared}}","access":"read_only"},
            {"type":"memory_store","memory_store_id":"{{own}}","access":"read_write"}
            """, isJson: true);

        var said = await session.Shell("""
            cd /mnt/memory/shared; echo x > rule; echo x > new; rm -f rule; mv rule other; chmod 777 .; touch ../new
            mkdir ../other; echo y > ../own/y; cat rule
            """);

        Assert.EndsWith("kept", said, StringComparison.Ordinal);
        Assert.Equal(7, said.Split("Read-only file system").Length - 1);
        Assert.Equal(["/rule"], (await server.Texts(shared)).Keys);
        Assert.Equal(["/y"], (await server.Texts(own)).Keys);
    }

    [Fact]
    public async Task What_anybody_changes_reaches_every_session_that_lives()
    {
        var store = await server.NewStore();
        var (early, late) = (await server.NewMemory(store, "/early", "1"), await server.NewMemory(store, "/gone", "1"));
        var (first, second) = (await Session(store), await Session(store));
        await first.Shell("true");
        var waiting = Waits(second, """
            cd /mnt/memory/notes
            until [ "$(cat early)" = 2 ] && [ ! -e gone ] && [ "$(cat d/e/new)" = new ] && [ -e moved ] && [ ! -d old ]
            do sleep 0.02; done
            echo seen > answer; sleep 600
            """);

        (await server.Rewrite(store, early, new { content = "2" })).Ok();
        (await server.Delete($"/v1/memory_stores/{store}/memories/{late}")).Ok();
        var old = await server.NewMemory(store, "/old/x");
        await first.Shell("cd /mnt/memory/notes; mkdir -p d/e; echo new > d/e/new");
        (await server.Rewrite(store, old, new { path = "/moved" })).Ok();
        await waiting;

        await Until(async () => (await server.Texts(store)).GetValueOrDefault("/answer") == "seen\n");
        await Until(async () => await first.Shell("cat /mnt/memory/notes/answer") == "seen");
        Assert.Equal("running", (await second.Get()).Text("status"));
        await second.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task A_change_is_a_version_while_the_command_that_made_it_runs_on()
    {
        var store = await server.NewStore();
        var session = await Session(store);

        await Waits(session, "cd /mnt/memory/notes; echo early > early; sleep 600");

        await Until(async () => (await server.Texts(store)).GetValueOrDefault("/early") == "early\n");
        Assert.Equal("running", (await session.Get()).Text("status"));
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task What_can_be_no_memory_is_told_in_the_result_of_the_call_and_once()
    {
        var store = await server.NewStore();
        await server.NewMemory(store, "/kept", "kept");
        var session = await Session(store);

        var (_, note) = await Told(session, """
            cd /mnt/memory/notes
            head -c 102401 /dev/zero | tr '\0' x > large; head -c 102400 /dev/zero | tr '\0' x > largest
            printf '\377' > binary; ln -s /etc/passwd link; mkfifo pipe; echo x > "$(printf 'a\tb')"; echo x > good
            echo x > "$(printf 'e\314\201')"; echo x > "$(printf '\377')"
            mkdir -p 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20
            echo x > 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/deep
            ln -sf /etc/passwd kept
            """);

        Assert.NotNull(note);
        foreach (var part in (string[])[
            "/large is not saved: it has 102401 bytes, and a memory has at most 102400.",
            "/binary is not saved: it is not UTF-8 text.",
            "/link is not saved: it is not a regular file.", "/pipe is not saved: it is not a regular file.",
            "/a\tb is not saved: its path must not have control", "/e\u0301 is not saved: its path must be in Unicode",
            "/\uFFFD is not saved: its name is not UTF-8.", "/20 is not saved: a memory's path has at most 20 parts.",
            "/kept is not saved: it is not a regular file."])
        {
            Assert.Contains($"/mnt/memory/notes{(part.StartsWith("/20", StringComparison.Ordinal)
                ? "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19" : "")}{part}", note, StringComparison.Ordinal);
        }

        Assert.Equal(["/good", "/kept", "/largest"], (await server.Texts(store)).Keys);
        Assert.Null((await Told(session, "true")).Note);
        var (_, again) = await Told(session, "echo small > /mnt/memory/notes/large; rm /mnt/memory/notes/link");
        Assert.Null(again);
        Assert.Equal("small\n", (await server.Texts(store))["/large"]);
    }

    [Fact]
    public async Task A_full_store_refuses_one_more_of_an_agent_and_takes_it_when_there_is_room()
    {
        var store = await server.NewStore();
        var session = await Session(store);
        var (_, none) = await Told(session,
            $"cd /mnt/memory/notes; for i in $(seq {MemoryLimits.MemoriesMax}); do echo $i > $i; done");
        Assert.Null(none);
        Assert.Equal(MemoryLimits.MemoriesMax, (await server.Texts(store)).Count);

        var (_, note) = await Told(session, "cd /mnt/memory/notes; echo more > one-more; echo changed > 7");

        Assert.Equal("[Memory: /mnt/memory/notes/one-more is not saved: the memory store is full: it has 2000 "
            + "memories. Remove or join some.]", note);
        Assert.Equal("changed\n", (await server.Texts(store))["/7"]);
        Assert.Null((await Told(session, "rm /mnt/memory/notes/8")).Note);
        Assert.Equal("more\n", (await server.Texts(store))["/one-more"]);
    }

    [Fact]
    public async Task What_was_written_and_changed_while_no_server_was_there_is_the_same_everywhere_after_the_restart()
    {
        await using var own = await TestServer.Start();
        var store = await own.NewStore();
        var memory = await own.NewMemory(store, "/from-outside", "1");
        var session = await Session(store, on: own);
        await session.Shell(
            "(until [ -e /workspace/go ]; do sleep 0.02; done; echo late > /mnt/memory/notes/late) & true");
        var folder = own.Services.GetRequiredService<SandboxProvider>().FolderOf(session.Id);

        await own.Stop();
        await File.WriteAllTextAsync(Path.Combine(folder.Workspace, "go"), "", Cancelled);
        await Until(() => Task.FromResult(File.Exists(Path.Combine(folder.Memory, store, "late"))));
        await own.InitializeAsync();

        // Nobody calls the session: it is found again because its sandbox lives.
        await Until(async () => (await own.Texts(store)).GetValueOrDefault("/late") == "late\n");
        (await own.Rewrite(store, memory, new { content = "2" })).Ok();
        await Until(async () =>
            await File.ReadAllTextAsync(Path.Combine(folder.Memory, store, "from-outside"), Cancelled) == "2");
    }

    [Fact]
    public async Task A_new_life_has_the_store_as_it_is_by_then()
    {
        var store = await server.NewStore();
        var memory = await server.NewMemory(store, "/a", "1");
        var session = await Session(store);
        await session.Shell("cat /mnt/memory/notes/a; echo mine > /mnt/memory/notes/mine");
        await server.Services.GetRequiredService<SandboxProvider>().Stop(session.Id, Cancelled);

        (await server.Rewrite(store, memory, new { content = "2", path = "/b" })).Ok();

        Assert.Equal("b:2\nmine:mine",
            (await session.Shell("cd /mnt/memory/notes; for f in *; do echo $f:$(cat $f); done")).Split("\n[")[0]);
    }

    [Fact]
    public async Task What_a_session_wrote_last_is_kept_when_it_is_killed()
    {
        var store = await server.NewStore();
        var session = await Session(store);
        await Waits(
            session, "cd /mnt/memory/notes; exec 9> open; echo unclosed >&9; touch /workspace/there; sleep 600");
        var folder = server.Services.GetRequiredService<SandboxProvider>().FolderOf(session.Id);
        await Until(() => Task.FromResult(File.Exists(Path.Combine(folder.Workspace, "there"))));

        (await server.Post($"{session.Path}/kill")).Ok();

        Assert.Equal("unclosed\n", (await server.Texts(store))["/open"]);
    }

    [Fact]
    public async Task A_store_that_is_archived_or_deleted_takes_nothing_more_from_a_session_that_lives()
    {
        var store = await server.NewStore();
        await server.NewMemory(store, "/a", "1");
        var session = await Session(store);
        await session.Shell("true");

        (await server.Post($"/v1/memory_stores/{store}/archive")).Ok();
        Assert.Equal("[Memory: /mnt/memory/notes/b is not saved: the memory store is archived, and takes no changes.]",
            (await Told(session, "echo b > /mnt/memory/notes/b")).Note);
        (await server.Delete($"/v1/memory_stores/{store}")).Ok();
        Assert.Contains("/mnt/memory/notes/c is not saved: the memory store was deleted.",
            (await Told(session, "echo c > /mnt/memory/notes/c")).Note, StringComparison.Ordinal);
        Assert.Equal("b\nc", await session.Shell("ls /mnt/memory/notes"));
    }

    [Fact]
    public async Task A_fork_has_the_stores_and_what_is_in_them_now()
    {
        var store = await server.NewStore();
        var session = await Session(store);
        await session.Shell("echo one > /mnt/memory/notes/one");
        var fork = (await server.Post($"{session.Path}/fork", "{}")).Ok();
        await session.Shell("rm /mnt/memory/notes/one; echo two > /mnt/memory/notes/two");

        var other = session with { Created = fork };

        Assert.Equal("two\n", (await other.Shell("cd /mnt/memory/notes; ls; rm two")).Split("\n[")[0].TrimEnd() + "\n");
        Assert.Equal(session.Created.At("resources").GetRawText(), fork.At("resources").GetRawText());
        Assert.Empty(await server.Texts(store));
        Assert.Equal(fork.Text("id"), (await server.Versions(store))[0].Text("created_by.session_id"));
    }

    [Fact]
    public async Task Memory_is_mounted_by_a_container_runtime_as_well()
    {
        await using var own = await TestServer.Start(services =>
        {
            var options = (SandboxOptions)services.Last(service => service.ServiceType == typeof(SandboxOptions))
                .ImplementationInstance!;
            services.AddSingleton(options with { Driver = SandboxLab.OciDriver });
        });
        var (store, fixedStore) = (await own.NewStore(), await own.NewStore("fixed"));
        await own.NewMemory(store, "/a", "1");
        await own.NewMemory(fixedStore, "/a", "1");
        var session = await Session($$"""
            {"type":"memory_store","memory_store_id":"{{store}}"},
            {"type":"memory_store","memory_store_id":"{{fixedStore}}","access":"read_only"}
            """, isJson: true, on: own);

        var said = await session.Shell(
            "cd /mnt/memory; cat notes/a; echo 2 > notes/b; echo x > fixed/a; touch x; mkdir y; ls");

        Assert.Equal(3, said.Split("Read-only file system").Length - 1);
        Assert.EndsWith("fixed\nnotes", said.TrimEnd(), StringComparison.Ordinal);
        Assert.Equal(["/a", "/b"], (await own.Texts(store)).Keys);
        await Waits(session, "echo late > /mnt/memory/notes/late; sleep 600");
        await Until(async () => (await own.Texts(store)).ContainsKey("/late"));
        await session.Run(TestSession.Interrupts);
    }

    private async Task<TestSession> Session(string store, bool isJson = false, TestServer? on = null)
    {
        var resources = isJson ? store : $$"""{"type":"memory_store","memory_store_id":"{{store}}"}""";
        return await (on ?? server).NewSession(Tools, $"\"resources\":[{resources}]");
    }

    /// <summary>The command runs, and goes on.</summary>
    private static async Task Waits(TestSession session, string command)
    {
        session.Model.Calls("bash", JsonSerializer.Serialize(new { command })).Says("stopped");
        await session.Send(TestSession.Says("go"));
    }

    /// <summary>What the command said, and what was said of memory after it.</summary>
    private static async Task<(string Text, string? Note)> Told(TestSession session, string command)
    {
        session.Model.Calls("bash", JsonSerializer.Serialize(new { command })).Says("done");
        var turn = await session.Run(TestSession.Says("go"));
        var content = turn.Single(@event => @event.Name == "agent.tool_result").Json.At("content");
        var notes = content.EnumerateArray().Select(block => block.Text("text"))
            .Where(text => text.StartsWith("[Memory: ", StringComparison.Ordinal));
        return (content.Text("0.text"), notes.SingleOrDefault());
    }

    private static async Task Until(Func<Task<bool>> holds)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        patience.CancelAfter(TestStream.Patience);
        while (!await holds())
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
