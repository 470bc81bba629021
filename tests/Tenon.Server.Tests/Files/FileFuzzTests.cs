using CsCheck;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>Whatever form or resource a client sends, it is taken or refused as documented.</summary>
public sealed class FileFuzzTests(TestServer server)
{
    private static readonly byte[] Form = Encoding.ASCII.GetBytes(
        "--b\r\nContent-Disposition: form-data; name=\"expires_in_seconds\"\r\n\r\n3600\r\n"
        + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"; filename*=UTF-8''a.txt\r\n"
        + "Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Any_form_is_taken_or_refused_and_what_is_taken_can_be_read_again()
    {
        var place = Gen.Select(Gen.Int[0, Form.Length - 1], Gen.Byte);
        await Gen.Select(place.Array[0, 4], Gen.Int[0, Form.Length]).SampleAsync(async change =>
        {
            var body = Form[..change.Item2];
            foreach (var (at, value) in change.Item1.Where(at => at.Item1 < body.Length))
            {
                body[at] = value;
            }

            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/form-data; boundary=b");
            var answer = await server.Upload(content);

            Documented(answer);
            if (answer.Status == 200)
            {
                (await server.Get($"/v1/files/{answer.Json.Text("id")}")).Ok();
            }
        }, iter: 300, threads: 1);
    }

    [Fact]
    public async Task Any_resource_is_taken_or_refused_and_the_sandbox_still_opens()
    {
        var file = await server.NewFile();
        var session = await server.NewSession("""[{"type":"agent_toolset_20260401"}]""");
        var bodies = FuzzedJson.From(
            ResourceTests.Mounting(file, "/a/b.csv"), ResourceTests.Mounting(file, "/uploads/c"));
        await bodies.SampleAsync(async body =>
        {
            using var content = new ByteArrayContent(body);
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{session.Path}/resources")
            {
                Content = content,
            };
            using var response = await server.Client.SendAsync(request, Cancelled);
            Documented(await Answer.Read(response, Cancelled));
        }, iter: 150, threads: 1);

        Assert.Equal("alive", await session.Shell("echo alive"));
    }

    private static void Documented(Answer answer)
    {
        Assert.True(answer.Status < 500, $"{answer.Status}: {answer.Json}");
        if (answer.Status >= 400)
        {
            Assert.Equal("error", answer.Json.Text("type"));
            Assert.NotEmpty(answer.Json.Text("error.message"));
            Assert.Equal(JsonValueKind.String, answer.Json.At("request_id").ValueKind);
        }
    }
}
