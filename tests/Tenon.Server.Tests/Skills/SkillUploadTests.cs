using System.Buffers.Binary;
using System.Text;
using Tenon.Server.Skills;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>What an upload must be: each refusal says what is wrong with which file, and keeps nothing.</summary>
public sealed class SkillUploadTests(TestServer server)
{
    private static readonly byte[] Manifest = Encoding.UTF8.GetBytes(SkillUploads.Manifest());

    [Theory]
    [InlineData("", "the path '' is not a plain path.")]
    [InlineData("a/../../etc/passwd", "the path 'a/../../etc/passwd' leads out of the skill's folder.")]
    [InlineData("..\\evil", "the path '../evil' leads out of the skill's folder.")]
    [InlineData("/etc/passwd", "the path '/etc/passwd' is absolute; paths must be below the skill's folder.")]
    [InlineData("C:/x", "the path 'C:/x' is absolute")]
    [InlineData("a//b", "the path 'a//b' is not a plain path.")]
    [InlineData("a/./b", "the path 'a/./b' is not a plain path.")]
    [InlineData("a/b%0Ac", "the path 'a/b?c' has characters that are no text.")]
    [InlineData("a/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6", "the path 'a/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6' is more than 16")]
    [InlineData("b/other.md", "all files must be in one folder, with SKILL.md at its top.")]
    [InlineData("a/skill.MD", "the path 'skill.MD' is there twice, or in capital and in small letters.")]
    [InlineData("a/SKILL.md", "the path 'SKILL.md' is there twice")]
    [InlineData("a/SKILL.md/x", "'SKILL.md' is a file and a folder.")]
    public async Task A_path_that_is_none_of_a_skill_is_refused_in_a_form_and_in_a_zip(string path, string message)
    {
        var form = await server.Upload("/v1/skills", ("a/SKILL.md", Manifest), (path, "x"u8.ToArray()));
        form.Refused(400, $"files: {message}");
        if (path.Length > 0 && !path.Contains('%', StringComparison.Ordinal))
        {
            (await server.UploadZip(SkillUploads.Zip(("a/SKILL.md", SkillUploads.Manifest()), (path, "x"))))
                .Refused(400, $"files: {message}");
        }
    }

    [Fact]
    public async Task A_path_or_a_name_that_is_too_long_is_refused()
    {
        var deep = string.Join('/', Enumerable.Repeat(new string('n', 99), 6));
        foreach (var path in (string[])[$"a/{new string('n', 256)}", $"a/{deep}"])
        {
            (await server.Upload("/v1/skills", ("a/SKILL.md", Manifest), (path, "x"u8.ToArray()))).Refused(
                400, "files: the path 'a/nnn");
        }
    }

    [Theory]
    [InlineData("# No front matter", "must begin with a line ---")]
    [InlineData("---\nname: a\ndescription: d\n", "must begin with a line ---")]
    [InlineData("---\nname: [a\ndescription: d\n---\n", "has no valid YAML before its instructions, at line ")]
    [InlineData("---\nname: a\ndescription: Use: it\n---\n", "has no valid YAML before its instructions, at line 3")]
    [InlineData("---\nname: a\nname: b\n---\n", "has no valid YAML before its instructions, at line 3: name is there")]
    [InlineData("---\nname: {a: b}\n---\n",
        "has no valid YAML before its instructions, at line 2: name must be a text")]
    [InlineData("---\n- a\n---\n", "has no valid YAML before its instructions")]
    [InlineData("---\nname: a\n---\n", "the description is missing: say what the skill does, and when to use it.")]
    [InlineData("---\nname: a\ndescription: ''\n---\n", "the description is missing")]
    [InlineData("---\nname: a\ndescription: a <b>bold</b> word\n---\n",
        "the description must not have XML tags in it.")]
    [InlineData("---\nname: a\ndescription: \"\\0\"\n---\n", "the description must not have control characters")]
    [InlineData("---\nname: a\ndescription: \"\\ud800\"\n---\n",
        "has no valid YAML before its instructions, at line 3")]
    [InlineData("---\nname: a\ndescription: \"\\ufffd\"\n---\n", "the description must not have control characters")]
    [InlineData("---\nname: Big\ndescription: d\n---\n", "the name 'Big' must have 1 to 64 lower-case letters, digits")]
    [InlineData("---\nname: a b\ndescription: d\n---\n", "the name 'a b' must have 1 to 64 lower-case letters, digits")]
    [InlineData("---\nname: my-claude\ndescription: d\n---\n",
        "the name 'my-claude' must not have the word 'claude' in it.")]
    [InlineData("---\nname: anthropic\ndescription: d\n---\n",
        "the name 'anthropic' must not have the word 'anthropic'")]
    public async Task A_manifest_that_says_too_little_or_too_much_is_refused(string manifest, string message) =>
        (await server.Upload("/v1/skills", ("a/SKILL.md", Encoding.UTF8.GetBytes(manifest)))).Refused(
            400, $"files: SKILL.md: {message}");

    [Fact]
    public async Task A_manifest_has_a_name_of_64_and_a_description_of_1024_characters_at_most()
    {
        async Task<Answer> Upload(int name, int description) => await server.Upload("/v1/skills", ("SKILL.md",
            Encoding.UTF8.GetBytes(SkillUploads.Manifest(new string('n', name), new string('ä', description)))));

        (await Upload(64, 1_024)).Ok();
        (await Upload(65, 1)).Refused(400, "files: SKILL.md: the name 'nnn");
        (await Upload(1, 1_025)).Refused(
            400, "files: SKILL.md: the description must have at most 1024 characters.");
        (await server.Upload("/v1/skills", ("SKILL.md", [.. "---\nname: a\ndescription: "u8, 0xFF, .. "\n---\n"u8])))
            .Refused(400, "files: SKILL.md: is not UTF-8 text.");
    }

    [Theory]
    [InlineData("---\nname: 'quoted'\ndescription: \"Use: it\"\nlicense: MIT\nmetadata:\n  a: [1, {b: c}]\n---\nx")]
    [InlineData("---\r\nname: quoted\r\ndescription: >\r\n  Use:\r\n  it\r\n---\r\n")]
    [InlineData("\uFEFF---  \n? [a, b]\n: c\nname: quoted\ndescription: &x 'Use: it'\nother: *x\n---")]
    public async Task A_manifest_may_be_written_in_every_way_of_yaml(string manifest)
    {
        var skill = (await server.Upload("/v1/skills", ("SKILL.md", Encoding.UTF8.GetBytes(manifest)))).Ok();

        var version = (await server.Get($"/v1/skills/{skill.Text("id")}/versions/latest")).Ok();
        Assert.Equal(("quoted", "Use: it"), (version.Text("name"), version.Text("description")));
    }

    [Fact]
    public async Task A_skill_without_a_name_has_that_of_its_folder()
    {
        var manifest = "---\ndescription: d\n---\n"u8.ToArray();

        Assert.Equal("in-folder", (await server.Upload("/v1/skills", ("in-folder/SKILL.md", manifest))).Ok()
            .Text("display_name"));
        (await server.Upload("/v1/skills", ("SKILL.md", manifest))).Refused(
            400, "files: SKILL.md: the name is missing.");
    }

    [Fact]
    public async Task A_zip_may_have_its_files_at_the_top_and_what_a_file_manager_leaves_in_it_is_left_out()
    {
        var skill = (await server.UploadZip(SkillUploads.Zip([
            ("SKILL.md", Manifest, 0), ("folder/", [], 0x41ED), ("./folder/tool", "x"u8.ToArray(), 0x81ED),
            (".DS_Store", [1], 0), ("__MACOSX/._SKILL.md", [1], 0), ("folder/.DS_Store", [1], 0)]))).Ok();

        Assert.Equal(
            [
                ("release-notes/SKILL.md", SkillUploads.Manifest(), false),
                ("release-notes/folder/tool", "x", true),
            ],
            SkillUploads.Entries(
                (await server.DownloadSkill(skill.Text("id"), skill.Text("latest_version_id"))).Bytes));
    }

    [Fact]
    public async Task A_link_a_device_and_an_encrypted_file_in_a_zip_are_refused()
    {
        foreach (var mode in (int[])[0xA1FF, 0x21B6, 0x61B6, 0x11B6, 0xC1ED])
        {
            var zipped = SkillUploads.Zip([("SKILL.md", Manifest, 0), ("l", "/etc/passwd"u8.ToArray(), mode)]);
            (await server.UploadZip(zipped)).Refused(
                400, "files: the zip archive has a link, or another thing that is neither a file nor a folder.");
        }

        var zip = SkillUploads.Zip(("SKILL.md", SkillUploads.Manifest()));
        zip[zip.AsSpan().IndexOf("PK\x01\x02"u8) + 8] |= 1;
        zip[6] |= 1;
        (await server.UploadZip(zip)).Refused(400, "files: the zip archive is encrypted.");
    }

    [Fact]
    public async Task A_bomb_is_refused_by_what_comes_out_of_it_whatever_it_says_of_itself()
    {
        var manifest = ("SKILL.md", Manifest, 0);
        (await server.UploadZip(SkillUploads.Zip([manifest, ("zeros", new byte[SkillBundleRules.BytesMax], 0)])))
            .Refused(400, "files: all files together must have at most 31457280 bytes, unpacked.");
        (await server.UploadZip(SkillUploads.Zip([manifest, ("zeros", new byte[20 * 1024 * 1024], 0)])))
            .Refused(400, "files: the zip archive unpacks to more than 200 times its own size.");

        // Its headers say that nothing is in it.
        var lying = SkillUploads.Zip([manifest, ("zeros", new byte[SkillBundleRules.BytesMax], 0)]);
        var header = lying.AsSpan().LastIndexOf("PK\x01\x02"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(lying.AsSpan(header + 24), 3);
        (await server.UploadZip(lying)).Refused(400, "files: the zip archive is damaged");
        (await server.UploadZip(SkillUploads.Zip([manifest, .. Enumerable.Range(0, SkillBundleRules.FilesMax)
            .Select(i => ($"f{i}", (byte[])[], 0))]))).Refused(400, "files: a skill has at most 1000 files.");
    }

    [Fact]
    public async Task Files_of_a_form_are_bounded_in_number_and_in_bytes_together()
    {
        var half = new byte[SkillBundleRules.BytesMax / 2];
        (await server.Upload("/v1/skills", ("SKILL.md", Manifest), ("a", half), ("b", half)))
            .Refused(400, "files: all files together must have at most 31457280 bytes, unpacked.");
        (await server.Upload("/v1/skills", [("SKILL.md", Manifest), .. Enumerable.Range(0, SkillBundleRules.FilesMax)
            .Select(i => ($"f{i}", (byte[])[]))])).Refused(400, "files: a skill has at most 1000 files.");
    }

    [Fact]
    public async Task What_is_no_upload_is_refused()
    {
        (await server.Post("/v1/skills", "{}")).Refused(
            400, "The body must be multipart/form-data with a boundary.");
        (await server.Send("/v1/skills", SkillUploads.Form([], ("display_name", "x")))).Refused(
            400, "files: field required");
        (await server.UploadZip("no zip"u8.ToArray())).Refused(
            400, "files: the file is called .zip and is no zip archive.");
        (await server.UploadZip("PK\x03\x04 and no more"u8.ToArray())).Refused(
            400, "files: the zip archive is damaged");
        (await server.UploadZip(SkillUploads.Zip())).Refused(400, "files: there is no SKILL.md at the top");
        (await server.UploadZip(SkillUploads.Zip(("a/b/SKILL.md", SkillUploads.Manifest())))).Refused(
            400, "files: there is no SKILL.md at the top of the folder (its name is in capital letters).");
    }
}
