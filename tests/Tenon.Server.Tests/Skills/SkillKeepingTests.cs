using System.Collections;
using Tenon.Server.Configuration;
using Tenon.Server.Tests.Backups;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>Skills are saved, restored and moved with the rest of an installation.</summary>
public sealed class SkillKeepingTests
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    [Fact]
    public async Task A_backup_has_skills_also_a_deleted_one_that_a_session_has()
    {
        using var lab = new BackupLab();
        await using var server = await TestServer.StartOn(lab.Source);
        var (kept, deleted) = (await server.NewSkill(says: "kept"), await server.NewSkill(says: "deleted"));
        var model = (await server.NewSession()).ModelName;
        var agent = (await server.Post("/v1/agents", $$"""
            {"name":"n","model":"{{model}}","tools":{{Tools}},
             "skills":[{"type":"custom","skill_id":"{{deleted.Text("id")}}"}]}
            """)).Ok().Text("id");
        var session = await server.NewSessionOf(model, agent);
        (await server.Delete($"/v1/skills/{deleted.Text("id")}")).Ok();
        var (code, said) = lab.Backup(server.DataDirectory);
        Assert.True(code == 0, said);

        Assert.Equal(0, lab.Restore().Code);
        await using var restored = await TestServer.StartOn(lab.Data);

        JsonAssert.Equal(kept.GetRawText(), (await restored.Get($"/v1/skills/{kept.Text("id")}")).Ok());
        Assert.Equal(
            (await server.DownloadSkill(kept.Text("id"), kept.Text("latest_version_id"))).Bytes,
            (await restored.DownloadSkill(kept.Text("id"), kept.Text("latest_version_id"))).Bytes);
        var goesOn = session with { Server = restored, Model = restored.Models.Of(model) };
        Assert.Equal("deleted", await goesOn.Shell("/mnt/skills/release-notes/scripts/run.sh"));
    }

    [Fact]
    public async Task A_backup_that_lacks_the_bytes_of_a_skill_is_not_made()
    {
        using var lab = new BackupLab();
        await using var server = await TestServer.StartOn(lab.Source);
        var version = (await server.NewSkill()).Text("latest_version_id");
        File.Delete(Path.Combine(server.DataDirectory, "files", version));

        var (code, said) = lab.Backup(server.DataDirectory);

        Assert.Equal(1, code);
        Assert.Contains($"The bytes of the file {version} are not in ", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_move_to_PostgreSQL_takes_skills_along()
    {
        await using var before = await TestServer.Start();
        var skill = await before.NewSkill();
        var path = $"/v1/skills/{skill.Text("id")}";
        (await before.Upload($"{path}/versions", SkillUploads.Files(says: "two"))).Ok();
        var listed = (await before.Get($"{path}/versions")).Ok();
        await before.Stop();
        var postgres = await PostgresRun.NewEmptyDatabase();
        using var output = new StringWriter();

        Assert.Equal(0, await Migrate.Run(
            ["--from", before.DataDirectory, "--postgres", postgres], new Hashtable(), output));

        Assert.Contains("skill_version: 2 rows, sha256 ", output.ToString(), StringComparison.Ordinal);
        await using var after = await TestServer.Start(postgres: postgres);
        JsonAssert.Equal(listed.GetRawText(), (await after.Get($"{path}/versions")).Ok());
        (await after.Delete($"{path}/versions/{listed.Text("data.0.id")}")).Ok();
        Assert.Equal(
            listed.Text("data.1.id"), (await after.Get("/v1/skills?limit=1")).Ok().Text("data.0.latest_version_id"));
        (await after.Delete(path)).Ok();
    }
}
