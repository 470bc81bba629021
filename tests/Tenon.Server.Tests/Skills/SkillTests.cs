using System.Text;
using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>Skills and their versions (api A.12, B.11).</summary>
public class SkillTests(TestServer server)
{
    [Fact]
    public async Task A_skill_is_made_of_the_files_of_one_folder()
    {
        var skill = await server.NewSkill();
        var id = skill.Text("id");
        var version = (await server.Get($"/v1/skills/{id}/versions/latest")).Ok();

        Assert.StartsWith("skill_", id, StringComparison.Ordinal);
        Assert.StartsWith("skver_", version.Text("id"), StringComparison.Ordinal);
        JsonAssert.Equal($$"""
            {"type":"skill","id":"{{id}}","display_name":"release-notes","latest_version_id":"{{version.Text("id")}}",
             "source":{"type":"custom"},"created_at":"{{skill.Text("created_at")}}",
             "updated_at":"{{skill.Text("created_at")}}"}
            """, skill);
        JsonAssert.Equal($$"""
            {"type":"skill_version","id":"{{version.Text("id")}}","skill_id":"{{id}}","name":"release-notes",
             "description":"{{SkillUploads.Description}}","created_at":"{{skill.Text("created_at")}}"}
            """, version);
        JsonAssert.Equal(skill.GetRawText(), (await server.Get($"/v1/skills/{id}")).Ok());
        JsonAssert.Equal(
            version.GetRawText(), (await server.Get($"/v1/skills/{id}/versions/{version.Text("id")}")).Ok());
    }

    [Fact]
    public async Task Its_content_is_a_zip_with_one_folder_of_its_name_and_always_the_same_bytes()
    {
        var skill = await server.NewSkill();
        var again = await server.NewSkill();
        var (bytes, headers) = await server.DownloadSkill(skill.Text("id"), skill.Text("latest_version_id"));

        Assert.Equal(
            [
                ("release-notes/SKILL.md", SkillUploads.Manifest(), false),
                ("release-notes/scripts/run.sh", "#!/bin/sh\necho hello\n", true),
            ],
            SkillUploads.Entries(bytes));
        Assert.Equal("application/zip", headers.ContentType!.MediaType);
        Assert.Equal("release-notes.zip", headers.ContentDisposition!.FileName);
        Assert.Equal(
            bytes, (await server.DownloadSkill(again.Text("id"), again.Text("latest_version_id"))).Bytes);
        var copy = (await server.UploadZip(bytes)).Ok();
        Assert.Equal(
            bytes, (await server.DownloadSkill(copy.Text("id"), copy.Text("latest_version_id"))).Bytes);
    }

    [Fact]
    public async Task A_version_is_a_whole_new_skill_under_the_same_name_and_the_newest_is_the_latest()
    {
        var skill = await server.NewSkill(says: "one");
        var (id, first) = (skill.Text("id"), skill.Text("latest_version_id"));
        var path = $"/v1/skills/{id}";
        var second = (await server.Upload($"{path}/versions", ("other-folder/SKILL.md",
            Encoding.UTF8.GetBytes(SkillUploads.Manifest(description: "Does it in another way."))))).Ok();

        Assert.Equal("Does it in another way.", second.Text("description"));
        Assert.Equal(second.Text("id"), (await server.Get(path)).Ok().Text("latest_version_id"));
        Assert.Equal(second.Text("id"), (await server.Get($"{path}/versions/latest")).Ok().Text("id"));
        Assert.Equal(
            [second.Text("id"), first], (await server.Get($"{path}/versions")).Ok().At("data").Texts("id"));
        Assert.Equal(["release-notes/SKILL.md"], SkillUploads.Entries(
            (await server.DownloadSkill(id, second.Text("id"))).Bytes).Select(entry => entry.Path));
        Assert.Equal(2, SkillUploads.Entries((await server.DownloadSkill(id, first)).Bytes).Count);
        (await server.Upload($"{path}/versions", SkillUploads.Files("other-name"))).Refused(
            400, "files: SKILL.md: the name 'other-name' is not the skill's, 'release-notes', which cannot change.");
        (await server.Upload("/v1/skills/skill_none/versions", SkillUploads.Files())).Refused(
            404, "Skill 'skill_none' was not found.");
    }

    [Fact]
    public async Task A_version_is_deleted_but_never_the_last_one_and_a_skill_with_all_of_them()
    {
        var skill = await server.NewSkill(says: "one");
        var (path, first) = ($"/v1/skills/{skill.Text("id")}", skill.Text("latest_version_id"));
        var second = (await server.Upload($"{path}/versions", SkillUploads.Files(says: "two"))).Ok().Text("id");

        JsonAssert.Equal(
            $$"""{"type":"skill_version_deleted","id":"{{second}}"}""",
            (await server.Delete($"{path}/versions/{second}")).Ok());

        Assert.Equal(first, (await server.Get(path)).Ok().Text("latest_version_id"));
        (await server.Get($"{path}/versions/{second}")).Refused(404, $"Version '{second}' of skill");
        (await server.Get($"{path}/versions/{second}/content")).Refused(404, $"Version '{second}' of skill");
        (await server.Delete($"{path}/versions/{second}")).Refused(404, $"Version '{second}' of skill");
        (await server.Delete($"{path}/versions/{first}")).Refused(
            400, $"Version '{first}' is the only one of skill '{skill.Text("id")}'");
        JsonAssert.Equal(
            $$"""{"type":"skill_deleted","id":"{{skill.Text("id")}}"}""", (await server.Delete(path)).Ok());
        (await server.Get(path)).Refused(404, "Skill '");
        (await server.Get($"{path}/versions/{first}")).Refused(404, $"Version '{first}' of skill");
        (await server.Get($"{path}/versions")).Refused(404, "Skill '");
        (await server.Delete(path)).Refused(404, "Skill '");
        Assert.False(File.Exists(Path.Combine(server.DataDirectory, "files", first)));
    }

    [Fact]
    public async Task Latest_is_read_and_neither_deleted_nor_downloaded()
    {
        var path = $"/v1/skills/{(await server.NewSkill()).Text("id")}/versions/latest";

        (await server.Delete(path)).Refused(400, "'latest' can be read, and nothing else");
        (await server.Get($"{path}/content")).Refused(400, "'latest' can be read, and nothing else");
    }

    [Fact]
    public async Task Skills_are_listed_by_source_and_page_by_page_uploads_first()
    {
        await using var empty = await server.StartEmpty();
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            made.Insert(0, (await empty.NewSkill($"skill-{i}")).Text("id"));
        }

        string[] shipped = ["docx", "pdf", "pptx", "xlsx"];
        Assert.Equal(made.Concat(shipped), await All(empty, "limit=2"));
        Assert.Equal(made.Concat(shipped), await All(empty, "limit=7"));
        Assert.Equal(made, await All(empty, "source=custom&limit=2"));
        Assert.Equal(shipped, await All(empty, "source=anthropic&limit=3"));
        Assert.Empty(await All(empty, "source=plugin"));
        (await empty.Get("/v1/skills?source=x")).Refused(400, "source: 'x' is not one of custom, anthropic,");
        (await empty.Get("/v1/skills?limit=1001")).Refused(400, "limit: '1001' is not a number from 1 to 1000.");
    }

    [Fact]
    public async Task Versions_are_listed_page_by_page_newest_first()
    {
        var skill = await server.NewSkill();
        var path = $"/v1/skills/{skill.Text("id")}/versions";
        var made = new List<string> { skill.Text("latest_version_id") };
        for (var i = 0; i < 4; i++)
        {
            made.Insert(0, (await server.Upload(path, SkillUploads.Files(says: $"{i}"))).Ok().Text("id"));
        }

        var listed = new List<string>();
        string? page = null;
        do
        {
            var answer = (await server.Get($"{path}?limit=2{(page is null ? "" : $"&page={page}")}")).Ok();
            listed.AddRange(answer.At("data").Texts("id"));
            page = answer.Text("next_page");
        }
        while (page is not null);

        Assert.Equal(made, listed);
    }

    [Fact]
    public async Task A_label_for_people_is_taken_under_its_new_and_its_old_name()
    {
        foreach (var field in (string[])["display_name", "display_title"])
        {
            var named = (await server.Send(
                "/v1/skills", SkillUploads.Form(SkillUploads.Files(), (field, "Release notes, ä")))).Ok();
            Assert.Equal("Release notes, ä", named.Text("display_name"));
            (await server.Send("/v1/skills", SkillUploads.Form(SkillUploads.Files(), (field, new string('x', 256)))))
                .Refused(400, $"{field}: must be one line of 1 to 255 characters.");
        }
    }

    [Fact]
    public async Task What_was_stored_is_there_after_a_restart_and_nothing_of_what_was_refused()
    {
        await using var own = await TestServer.Start();
        var skill = await own.NewSkill();
        (await own.Upload("/v1/skills", ("a/notes.md", "x"u8.ToArray()))).Refused(400, "files: there is no SKILL.md");

        await own.Restart();

        JsonAssert.Equal(skill.GetRawText(), (await own.Get($"/v1/skills/{skill.Text("id")}")).Ok());
        Assert.Equal(
            [skill.Text("latest_version_id")],
            Directory.GetFiles(Path.Combine(own.DataDirectory, "files")).Select(path => Path.GetFileName(path)));
        Assert.Equal(2, SkillUploads.Entries(
            (await own.DownloadSkill(skill.Text("id"), skill.Text("latest_version_id"))).Bytes).Count);
    }

    private static async Task<IReadOnlyList<string>> All(TestServer server, string query)
    {
        var ids = new List<string>();
        string? page = null;
        do
        {
            var answer = (await server.Get($"/v1/skills?{query}{(page is null ? "" : $"&page={page}")}")).Ok();
            ids.AddRange(answer.At("data").Texts("id"));
            page = answer.Text("next_page");
        }
        while (page is not null);

        return ids;
    }
}
