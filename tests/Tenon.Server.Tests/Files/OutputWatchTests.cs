using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>
/// What an agent leaves is a file as soon as it is closed, whether or not anybody asks for the session's files: these
/// tests list all files, which looks at no sandbox.
/// </summary>
public sealed class OutputWatchTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_file_is_there_while_the_command_that_wrote_it_runs_on()
    {
        var session = await Runs("echo early > /outputs/early.txt; sleep 600");

        var file = await Appears(server, session, "early.txt");

        Assert.Equal("running", (await session.Get()).Text("status"));
        Assert.Equal("early\n"u8.ToArray(), (await server.Download(file.Text("id"))).Bytes);
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task A_file_in_a_folder_that_is_made_and_moved_meanwhile_is_there_too()
    {
        var session = await Runs("""
            cd /outputs; mkdir -p a/b; echo one > a/b/one.txt; mv a c; echo two > c/b/two.txt
            mkdir /tmp/d; echo three > /workspace/three.txt; mv /workspace/three.txt c/b/; sleep 600
            """);

        await Appears(server, session, "one.txt");
        await Appears(server, session, "two.txt");
        await Appears(server, session, "three.txt");
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task A_file_that_is_written_again_or_removed_is_replaced_or_gone()
    {
        var session = await Runs("""
            cd /outputs; echo one > f; echo keep > g; while [ ! -e /workspace/go ]; do sleep 0.05; done
            echo two > f; rm g; sleep 600
            """);
        var first = await Appears(server, session, "f");
        await Appears(server, session, "g");

        await File.WriteAllTextAsync(
            Path.Combine(Sandboxes(server).FolderOf(session.Id).Workspace, "go"), "", Cancelled);

        var second = await Until(server, session, files =>
            !files.ContainsKey("g") && files.TryGetValue("f", out var file) && file.Text("id") != first.Text("id"));
        Assert.Equal("two\n"u8.ToArray(), (await server.Download(second["f"].Text("id"))).Bytes);
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task A_file_that_is_written_slowly_is_there_whole_when_it_is_closed()
    {
        var session = await Runs("""
            cd /outputs; exec 9> slow.bin; printf half >&9; while [ ! -e /workspace/go ]; do sleep 0.05; done
            printf whole >&9; exec 9>&-; sleep 600
            """);
        var folder = Sandboxes(server).FolderOf(session.Id);
        await Written(() => folder.Outputs, "slow.bin", 4);
        await File.WriteAllTextAsync(Path.Combine(folder.Workspace, "go"), "", Cancelled);
        var file = await Appears(server, session, "slow.bin");

        Assert.Equal("halfwhole"u8.ToArray(), (await server.Download(file.Text("id"))).Bytes);
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task What_was_written_while_no_server_was_there_is_found_after_the_restart()
    {
        await using var own = await TestServer.Start();
        var session = await Runs(
            "touch started; while [ ! -e go ]; do sleep 0.05; done; echo late > /outputs/late.txt; sleep 600", own);
        var folder = Sandboxes(own).FolderOf(session.Id);
        await Written(() => folder.Workspace, "started", 0);

        await own.Stop();
        await File.WriteAllTextAsync(Path.Combine(folder.Workspace, "go"), "", Cancelled);
        await Written(() => folder.Outputs, "late.txt", 5);
        await own.InitializeAsync();

        await Appears(own, session, "late.txt");
        await session.Run(TestSession.Interrupts);
    }

    [Theory]
    [InlineData("bubblewrap")]
    [InlineData("oci")]
    [InlineData("gvisor")]
    public async Task A_sandbox_of_every_driver_says_that_something_was_written(string driver)
    {
        await using var lab = new SandboxLab(
            options => SandboxLab.With(options, driver switch
            {
                "oci" => SandboxLab.OciDriver,
                "gvisor" => SandboxLab.GvisorDriver,
                _ => driver,
            }));
        var heard = new TaskCompletionSource<string>();
        var sandbox = await lab.Open();
        lab.Provider.OutputsWritten += id => heard.TrySetResult(id);

        await lab.Text(sandbox, "echo x > /mnt/session/outputs/x");

        Assert.Equal("sesn_1", await heard.Task.WaitAsync(TestStream.Patience, Cancelled));
    }

    private async Task<TestSession> Runs(string command, TestServer? on = null)
    {
        var session = await (on ?? server).NewSession(Tools);
        session.Model.Calls("bash", JsonSerializer.Serialize(new { command })).Says("stopped");
        await session.Send(TestSession.Says("go"));
        return session;
    }

    private static SandboxProvider Sandboxes(TestServer of) => of.Services.GetRequiredService<SandboxProvider>();

    private static async Task<JsonElement> Appears(TestServer of, TestSession session, string name) =>
        (await Until(of, session, files => files.ContainsKey(name)))[name];

    private static async Task<Dictionary<string, JsonElement>> Until(
        TestServer of, TestSession session, Func<Dictionary<string, JsonElement>, bool> holds)
    {
        var found = new Dictionary<string, JsonElement>();
        await Until(async () =>
        {
            found = (await of.Get("/v1/files?limit=1000")).Ok().At("data").EnumerateArray()
                .Where(file => file.At("scope").ValueKind == JsonValueKind.Object
                    && file.Text("scope.id") == session.Id)
                .ToDictionary(file => file.Text("filename"));
            return holds(found);
        });
        return found;
    }

    /// <param name="folder">Asked again and again: the session's disk is not there from the start.</param>
    private static Task Written(Func<string> folder, string name, long bytes) => Until(() => Task.FromResult(
        new FileInfo(Path.Combine(folder(), name)) is { Exists: true } file && file.Length == bytes));

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
