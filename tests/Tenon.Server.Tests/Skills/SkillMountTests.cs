using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Sandboxes;
using Tenon.Server.Sessions;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>Skills in sandboxes: there, read-only, shared by all sessions, and kept as long as one has them.</summary>
public abstract class SkillMountTests(string driver) : IAsyncLifetime
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private TestServer _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private SandboxProvider Sandboxes => _server.Services.GetRequiredService<SandboxProvider>();

    private string Unpacked => Path.Combine(Sandboxes.Root, ".skills");

    public async ValueTask InitializeAsync() => _server = await TestServer.Start(services =>
    {
        var given = services.Last(service => service.ServiceType == typeof(SandboxOptions));
        services.AddSingleton((SandboxOptions)given.ImplementationInstance! with { Driver = driver });
    });

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_skill_is_read_and_its_programs_run_where_the_model_was_told()
    {
        var session = await Session(await _server.NewSkill(says: "from the skill"));

        Assert.Equal(
            SkillUploads.Manifest(), await session.Reads("/mnt/skills/release-notes/SKILL.md"));
        Assert.Equal("from the skill", await session.Shell("/mnt/skills/release-notes/scripts/run.sh"));
        Assert.Equal("release-notes", await session.Shell("ls /mnt/skills"));
        Assert.Equal("/mnt/skills/release-notes/scripts/run.sh:2:echo from the skill", await session.Shell(
            "grep -rn from /mnt/skills"));
    }

    [Fact]
    public async Task The_agent_can_change_nothing_of_it()
    {
        var skill = await _server.NewSkill();
        var session = await Session(skill);

        var said = await session.Shell("""
            cd /mnt/skills/release-notes
            echo x > SKILL.md; echo x >> scripts/run.sh; rm -f SKILL.md; mv SKILL.md other; touch new ../new; mkdir dir
            chmod 777 SKILL.md .; ln SKILL.md link; ln SKILL.md /workspace/link; rm -rf ../release-notes; cat SKILL.md
            """);
        var written = await session.Call(
            "write", """{"file_path":"/mnt/skills/release-notes/SKILL.md","content":"x"}""");

        Assert.EndsWith(SkillUploads.Manifest().TrimEnd(), said.TrimEnd(), StringComparison.Ordinal);
        Assert.Contains("Read-only file system", said, StringComparison.Ordinal);
        Assert.Contains("the file system is read-only", written, StringComparison.Ordinal);
        var folder = Path.Combine(Unpacked, skill.Text("latest_version_id"));
        Assert.Equal(
            ["SKILL.md", "scripts/run.sh"],
            Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(folder, path)).Order());
    }

    [Fact]
    public async Task Its_files_are_unpacked_once_for_all_sessions_and_belong_to_the_server()
    {
        var skill = await _server.NewSkill();
        var one = await Session(skill);
        await one.Shell("true");
        var file = Path.Combine(Unpacked, skill.Text("latest_version_id"), "scripts", "run.sh");
        var made = File.GetLastWriteTimeUtc(file);
        var two = await Session(skill);

        Assert.Equal(
            await one.Shell("stat -c %d:%i /mnt/skills/release-notes/SKILL.md"),
            await two.Shell("stat -c %d:%i /mnt/skills/release-notes/SKILL.md"));
        Assert.Equal(made, File.GetLastWriteTimeUtc(file));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead
                | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute,
            File.GetUnixFileMode(file));
        Assert.Single(Directory.GetDirectories(Unpacked));
    }

    [Fact]
    public async Task A_sandbox_without_skills_has_none_and_unpacks_none()
    {
        var session = await _server.NewSession(Tools);

        Assert.Contains("No such file", await session.Shell("ls /mnt/skills"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Unpacked));
    }

    [Fact]
    public async Task Skills_of_one_name_have_a_folder_each()
    {
        var session = await Session(await _server.NewSkill(says: "one"), await _server.NewSkill(says: "two"));

        Assert.Equal("one\ntwo", await session.Shell(
            "/mnt/skills/release-notes/scripts/run.sh; /mnt/skills/release-notes-2/scripts/run.sh"));
    }

    [Fact]
    public async Task A_version_that_is_deleted_stays_for_the_sessions_that_have_it_and_for_their_forks_and_no_longer()
    {
        var skill = await _server.NewSkill(says: "still here");
        var session = await Session(skill);
        (await _server.Delete($"/v1/skills/{skill.Text("id")}")).Ok();
        await _server.Restart();
        session = session with { Model = _server.Models.Of(session.ModelName) };

        Assert.Equal("still here", await session.Shell("/mnt/skills/release-notes/scripts/run.sh"));
        var fork = new TestSession(_server, (await _server.Post($"{session.Path}/fork", "{}")).Ok(), session.Model);
        (await _server.Delete(session.Path)).Ok();

        // Unpacked anew from what is stored.
        await fork.Shell("true");
        await Sandboxes.Stop(fork.Id, Cancelled);
        Directory.Delete(Unpacked, recursive: true);
        Assert.Equal("still here", await fork.Shell("/mnt/skills/release-notes/scripts/run.sh"));
        var blob = Path.Combine(_server.DataDirectory, "files", skill.Text("latest_version_id"));
        Assert.True(File.Exists(blob));
        (await _server.Delete(fork.Path)).Ok();
        Assert.False(File.Exists(blob));
    }

    [Fact]
    public async Task What_no_session_has_is_collected_and_what_one_has_is_not()
    {
        var (kept, gone) = (await _server.NewSkill(says: "kept"), await _server.NewSkill(says: "gone"));
        var session = await Session(kept);
        await session.Shell("true");
        await (await Session(gone)).Shell("true");
        var folders = _server.Services.GetRequiredService<SkillFolders>();
        Directory.CreateDirectory(Path.Combine(Unpacked, "half.part-1"));
        var mounted = folders.KeysOf([new SessionSkill
        {
            SkillId = kept.Text("id"), Version = kept.Text("latest_version_id"), Name = "", Description = "", Path = "",
        }]).ToHashSet();

        await folders.Collect(mounted, TimeSpan.FromHours(1), Cancelled);
        Assert.Equal(3, Directory.GetDirectories(Unpacked).Length);
        await folders.Collect(mounted, -TimeSpan.FromHours(1), Cancelled);

        Assert.Equal(
            [kept.Text("latest_version_id")],
            Directory.GetDirectories(Unpacked).Select(path => Path.GetFileName(path)));
        Assert.Equal("kept", await session.Shell("/mnt/skills/release-notes/scripts/run.sh"));
    }

    [Fact]
    public async Task A_skill_whose_bytes_are_gone_is_a_result_that_the_model_reads()
    {
        var skill = await _server.NewSkill();
        File.Delete(Path.Combine(_server.DataDirectory, "files", skill.Text("latest_version_id")));
        var session = await Session(skill);

        Assert.Contains(
            "The files of the skill release-notes are gone.", await session.Shell("true"), StringComparison.Ordinal);
    }

    private async Task<TestSession> Session(params System.Text.Json.JsonElement[] skills)
    {
        var plain = await _server.NewSession();
        var references = string.Join(',', skills.Select(
            skill => $$"""{"type":"custom","skill_id":"{{skill.Text("id")}}"}"""));
        var agent = (await _server.Post("/v1/agents",
            $$"""{"name":"n","model":"{{plain.ModelName}}","tools":{{Tools}},"skills":[{{references}}]}""")).Ok();
        return await _server.NewSessionOf(plain.ModelName, agent.Text("id"));
    }
}

public sealed class BubblewrapSkillMountTests() : SkillMountTests("bubblewrap");

public sealed class OciSkillMountTests() : SkillMountTests(SandboxLab.OciDriver);
