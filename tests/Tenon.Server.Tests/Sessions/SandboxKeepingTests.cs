using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Sandboxes;
using Tenon.Server.Sessions;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>When a session's sandbox starts and ends, and what becomes of its files.</summary>
public sealed class SandboxKeepingTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private SandboxProvider Sandboxes => server.Services.GetRequiredService<SandboxProvider>();

    [Fact]
    public async Task The_sandbox_of_a_new_session_is_there_before_its_first_call()
    {
        var without = await server.NewSession();
        var session = await server.NewSession(Tools);
        await Until(() => Sandboxes.FolderOf(session.Id).ReadRecord() is { Instance: not null });

        var instance = Sandboxes.FolderOf(session.Id).ReadRecord()!.Instance;
        await session.Shell("true");

        Assert.Equal(instance, Sandboxes.FolderOf(session.Id).ReadRecord()!.Instance);
        Assert.Null(Sandboxes.FolderOf(without.Id).ReadRecord());
    }

    [Fact]
    public async Task An_archived_sessions_sandbox_ends_at_once_and_its_outputs_stay()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo out > /outputs/o; sleep 600 & true");
        var init = Sandboxes.FolderOf(session.Id).ReadRecord()!.Pid;

        (await server.Post($"{session.Path}/archive")).Ok();

        Assert.False(SandboxLab.IsAlive(init));
        Assert.False(LinuxDisks.IsMount(Sandboxes.FolderOf(session.Id).Disk));
        Assert.Equal(1, (await server.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").GetArrayLength());
    }

    [Fact]
    public async Task After_the_hand_was_killed_the_next_result_says_what_is_gone_and_what_was_restored()
    {
        var session = await server.NewSession(Tools);
        await session.Shell("echo kept > file; cd /tmp; export COLOUR=blue");
        var record = Sandboxes.FolderOf(session.Id).ReadRecord()!;
        await Until(() => File.Exists(Path.Combine(Sandboxes.FolderOf(session.Id).Home, ".tenon", "shell")));
        System.Diagnostics.Process.GetProcessById(record.Pid).Kill();
        await Until(() => !SandboxLab.IsAlive(record.Pid));

        Assert.Equal("kept blue /tmp", await session.Shell("echo $(cat /workspace/file) $COLOUR $PWD"));

        var told = (await session.List("?types[]=agent.tool_result"))[1].At("content");
        Assert.Equal(2, told.GetArrayLength());
        Assert.Contains("background jobs and /tmp are gone", told[1].Text("text"), StringComparison.Ordinal);
        await session.Shell("true");
        Assert.Equal(1, (await session.List("?types[]=agent.tool_result"))[2].At("content").GetArrayLength());
    }

    [Fact]
    public async Task Files_past_their_retention_are_deleted_and_the_session_goes_on_with_an_empty_workspace()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var other = await TestServer.Start(services => services.AddSingleton<TimeProvider>(clock));
        var session = await other.NewSession(Tools);
        await session.Shell("echo old > file");
        var sandboxes = other.Services.GetRequiredService<SandboxProvider>();
        var folder = sandboxes.FolderOf(session.Id).Path;

        // The last activity is the snapshot, which comes after the idle event.
        await other.Services.GetRequiredService<IGrainFactory>().GetGrain<ISessionGrain>(session.Id).Settle();
        clock.Advance(TimeSpan.FromDays(29));
        await sandboxes.Rest(Cancelled);
        Assert.True(Directory.Exists(folder));
        clock.Advance(TimeSpan.FromDays(2));
        await Until(() => !Directory.Exists(folder));

        Assert.Equal("(no output)", await session.Shell("ls"));
        var told = (await session.List("?types[]=agent.tool_result"))[1].At("content");
        Assert.Contains("no longer kept", told[1].Text("text"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_warns_when_the_disk_below_the_sandboxes_is_nearly_full_and_a_call_says_why()
    {
        await using var other = await TestServer.Start(services => services.AddSingleton(provider =>
            Configuration(other: provider) with { ReserveBytes = long.MaxValue / 4 }));
        var session = await other.NewSession(Tools);

        Assert.Contains("are kept in reserve", await session.Shell("true"), StringComparison.Ordinal);

        var health = await other.Get("/health");
        Assert.Equal((200, "ok", "sandbox_disk_full"),
            (health.Status, health.Json.Text("status"), health.Json.Text("warning.reason")));
    }

    private static SandboxOptions Configuration(IServiceProvider other) => new()
    {
        DataDirectory = other.GetRequiredService<Tenon.Server.Storage.DataFolder>().Path,
        HandPath = SandboxLab.HandPath,
    };

    private static async Task Until(Func<bool> holds)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        while (!holds())
        {
            late.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
