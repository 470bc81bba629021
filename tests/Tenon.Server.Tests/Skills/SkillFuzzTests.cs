using CsCheck;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Tenon.Server.Skills;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>Whatever somebody sends as a skill, it is taken or refused as documented.</summary>
public sealed class SkillFuzzTests(TestServer server)
{
    private static readonly byte[] Form = Encoding.ASCII.GetBytes(
        "--b\r\nContent-Disposition: form-data; name=\"files[]\"; filename=\"a/SKILL.md\"\r\n\r\n"
        + SkillUploads.Manifest() + "\r\n"
        + "--b\r\nContent-Disposition: form-data; name=\"files[]\"; filename=\"a/b/c.txt\"\r\n\r\nhello\r\n"
        + "--b\r\nContent-Disposition: form-data; name=\"display_name\"\r\n\r\nA name\r\n--b--\r\n");

    private static readonly byte[] Archive = SkillUploads.Zip(
        ("a/SKILL.md", SkillUploads.Manifest()), ("a/b/c.txt", "hello"), ("a/d", new string('x', 300)));

    [Fact]
    public Task Any_form_is_taken_or_refused_and_what_is_taken_can_be_read_again() =>
        Sample(Form, 300, body => Send(new ByteArrayContent(body)));

    [Fact]
    public Task Any_zip_is_taken_or_refused_and_what_is_taken_can_be_read_again() =>
        Sample(Archive, 500, zip => server.UploadZip(zip));

    [Fact]
    public void Any_manifest_is_read_or_refused()
    {
        var text = Encoding.UTF8.GetBytes(
            "---\nname: a\ndescription: \"d\"\nx: [1, {a: *b}]\ny: &b |\n  z\n---\nwords\n");
        Changed(text).Sample(content =>
        {
            var manifest = SkillManifest.Parse(content, out var problem);
            Assert.Equal(manifest is null, problem.Length > 0);
        }, iter: 20_000);
        foreach (var opening in (string[])["[", "{a: ", "- ", "? ", "&a ", "!!a "])
        {
            SkillManifest.Parse(Encoding.UTF8.GetBytes(
                $"---\na: {string.Concat(Enumerable.Repeat(opening, 6_000))}\n---\n"), out _);
        }
    }

    private async Task<Answer> Send(ByteArrayContent content)
    {
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
        return await server.Send("/v1/skills", content);
    }

    private Task Sample(byte[] original, int iterations, Func<byte[], Task<Answer>> send) =>
        Changed(original).SampleAsync(async body =>
        {
            var answer = await send(body);
            Assert.True(answer.Status < 500, $"{answer.Status}: {answer.Json}");
            if (answer.Status >= 400)
            {
                Assert.Equal("error", answer.Json.Text("type"));
                Assert.NotEmpty(answer.Json.Text("error.message"));
                Assert.Equal(JsonValueKind.String, answer.Json.At("request_id").ValueKind);
                return;
            }

            var path = $"/v1/skills/{answer.Json.Text("id")}";
            var version = (await server.Get($"{path}/versions/latest")).Ok();
            Assert.NotEmpty(SkillUploads.Entries(
                (await server.DownloadSkill(answer.Json.Text("id"), version.Text("id"))).Bytes));
            (await server.Delete(path)).Ok();
        }, iter: iterations, threads: 1);

    private static Gen<byte[]> Changed(byte[] original) => Gen.Select(
        Gen.Select(Gen.Int[0, original.Length - 1], Gen.Byte).Array[0, 4],
        Gen.Frequency((4, Gen.Const(original.Length)), (1, Gen.Int[0, original.Length])), (changes, length) =>
        {
            var body = original[..length];
            foreach (var (at, value) in changes.Where(change => change.Item1 < length))
            {
                body[at] = value;
            }

            return body;
        });
}
