using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Tenon.Server.Files;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>
/// What <c>read</c> shows of pictures and PDFs, from the sandbox to the model: the log names a file of the session, and
/// the model gets the bytes.
/// </summary>
public sealed class ShownMediaTests(TestServer server)
{
    private const string Tools = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_picture_is_named_in_the_log_and_shown_to_the_model()
    {
        var session = await WithFile("a.png", MediaSamples.Png);

        var result = await Reads(session, "a.png");

        var id = result.Text("content.1.source.file_id");
        JsonAssert.Equal($$$"""
            [{"type":"text","text":"a.png: image/png, 1 x 1 pixels"},
             {"type":"image","source":{"type":"file","file_id":"{{{id}}}"}}]
            """, result.At("content"));
        var asked = Assert.IsType<ModelToolResult>(session.Model.Requests.Last().Messages[^1].Content.Single());
        Assert.Equal(
            new MediaSource
            {
                Type = "base64", MediaType = "image/png", Data = Convert.ToBase64String(MediaSamples.Png),
            },
            Assert.IsType<ImageBlock>(asked.Content[1]).Source);
    }

    [Fact]
    public async Task A_pdf_and_a_notebook_with_a_picture_are_shown_too()
    {
        var session = await WithFile("a.pdf", MediaSamples.Pdf(2));
        await Write(session, "n.ipynb", System.Text.Encoding.UTF8.GetBytes(MediaSamples.Notebook()));

        var pdf = await Reads(session, "a.pdf");
        var notebook = await Reads(session, "n.ipynb");

        Assert.Equal(["text", "document"], pdf.At("content").Texts("type"));
        Assert.Equal("a.pdf", pdf.Text("content.1.title"));
        Assert.Equal(["text", "image", "text"], notebook.At("content").Texts("type"));
        var shown = session.Model.Requests.Last().Messages.SelectMany(message => message.Content)
            .OfType<ModelToolResult>().SelectMany(result => result.Content).ToList();
        Assert.Equal(Convert.ToBase64String(MediaSamples.Pdf(2)), shown.OfType<DocumentBlock>().Single().Source.Data);
        Assert.Equal(Convert.ToBase64String(MediaSamples.Png), shown.OfType<ImageBlock>().Single().Source.Data);
    }

    [Fact]
    public async Task What_was_shown_is_a_file_of_the_session_that_no_list_shows_and_that_goes_with_it()
    {
        await using var own = await TestServer.Start();
        var session = await WithFile("a.png", MediaSamples.Png, own);
        var id = (await Reads(session, "a.png")).Text("content.1.source.file_id");

        var file = (await own.Get($"/v1/files/{id}")).Ok();
        var (_, bytes, headers) = await own.Download(id);

        Assert.Equal(("a.png", "image/png", session.Id),
            (file.Text("filename"), file.Text("mime_type"), file.Text("scope.id")));
        Assert.Equal((MediaSamples.Png.LongLength, true),
            (file.At("size_bytes").GetInt64(), file.At("downloadable").GetBoolean()));
        Assert.Equal(MediaSamples.Png, bytes);
        Assert.Equal("image/png", headers.ContentType!.MediaType);
        Assert.Empty((await own.Get("/v1/files")).Ok().At("data").EnumerateArray());
        Assert.Empty((await own.Get($"/v1/files?scope_id={session.Id}")).Ok().At("data").EnumerateArray());
        (await own.Delete(session.Path)).Ok();
        (await own.Get($"/v1/files/{id}")).Refused(404, "File '");
        Assert.Empty(Directory.GetFiles(Path.Combine(own.DataDirectory, "files")));
    }

    [Fact]
    public async Task The_same_picture_is_one_file_however_often_it_is_read_also_at_the_same_time()
    {
        var session = await WithFile("a.png", MediaSamples.PngWith(100_000));
        await Write(session, "b.png", MediaSamples.PngWith(100_000));

        var first = (await Reads(session, "a.png")).Text("content.1.source.file_id");
        var second = (await Reads(session, "b.png")).Text("content.1.source.file_id");

        Assert.Equal(first, second);
        var fresh = await WithFile("a.png", MediaSamples.PngWith(100_000));
        var other = (await Reads(fresh, "a.png")).Text("content.1.source.file_id");
        Assert.NotEqual(first, other);
    }

    [Fact]
    public async Task A_large_picture_leaves_a_small_log_and_is_shown_again_after_a_restart()
    {
        await using var own = await TestServer.Start();
        var bytes = MediaSamples.PngWith(Picture.BytesMax);
        var session = await WithFile("a.png", bytes, own);

        var result = await Reads(session, "a.png");
        await own.Restart();
        own.Models.Of(session.ModelName).Says("still there");
        await session.Run(TestSession.Says("and now?"));

        Assert.InRange(result.GetRawText().Length, 0, 1_000);
        var shown = session.Model.Requests.Last().Messages.SelectMany(message => message.Content)
            .OfType<ModelToolResult>().SelectMany(one => one.Content).OfType<ImageBlock>().Single();
        Assert.Equal(Convert.ToBase64String(bytes), shown.Source.Data);
    }

    [Fact]
    public async Task A_deleted_picture_becomes_a_sentence_and_reading_it_again_shows_it_again()
    {
        var session = await WithFile("a.png", MediaSamples.Png);
        var id = (await Reads(session, "a.png")).Text("content.1.source.file_id");

        (await server.Delete($"/v1/files/{id}")).Ok();
        session.Model.Says("gone");
        await session.Run(TestSession.Says("what was it?"));
        Assert.DoesNotContain(Shown(session), block => block is ImageBlock);
        var again = await Reads(session, "a.png");

        Assert.Equal(id, again.Text("content.1.source.file_id"));
        Assert.Equal(2, Shown(session).Count(block => block is ImageBlock));
    }

    [Fact]
    public async Task Of_many_pictures_the_large_ones_are_left_out_as_providers_want_it()
    {
        var session = await WithFile("large.png", MediaSamples.PngOf(2_001, 10));
        await Reads(session, "large.png");
        Assert.Single(Shown(session).OfType<ImageBlock>());

        for (var i = 0; i < MediaLimits.LargeImagesMax; i++)
        {
            await Write(session, $"{i}.png", MediaSamples.PngOf(100, 10 + i));
            await Reads(session, $"{i}.png");
        }

        Assert.Equal(MediaLimits.LargeImagesMax, Shown(session).OfType<ImageBlock>().Count());
        Assert.Contains(Shown(session), block => block is TextBlock { Text: var text }
            && text.Contains("of more than 20 pictures in one request", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_provider_is_sent_the_picture_of_a_result_in_its_own_way()
    {
        await using var anthropic = new AnthropicService();
        await using var openAi = new OpenAiService();
        anthropic.Enqueue(Reply.Text("seen"));
        openAi.Enqueue(Reply.Text("seen"), Reply.Text("not seen"));
        var session = await WithFile("a.png", MediaSamples.Png);
        await Write(session, "a.pdf", MediaSamples.Pdf(1));
        await Reads(session, "a.png");
        await Reads(session, "a.pdf");
        var request = session.Model.Requests.Last() with { Model = "gpt-x" };

        await ModelRun.Of(new AnthropicModel(
            new AnthropicAccess("key", null, anthropic.Url), ModelCatalog.Default, TimeProvider.System), request);
        var services = new ModelServices { OpenAiApiKey = "key", OpenAiBaseUrl = openAi.Script.Url + "/v1" };
        await ModelRun.Of(new ModelRoutes(services, ModelCatalog.Default, TimeProvider.System), request);
        await ModelRun.Of(new ModelRoutes(services with
        {
            Routes = [new ModelRoute("*", "openai") { SeesImages = false, SeesDocuments = false }],
        }, ModelCatalog.Default, TimeProvider.System), request);

        var results = anthropic.Requests[0].Body.At("messages").EnumerateArray()
            .SelectMany(message => message.At("content").EnumerateArray())
            .Where(block => block.Text("type") == "tool_result").ToList();
        var png = Convert.ToBase64String(MediaSamples.Png);
        JsonAssert.Equal($$$"""
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"{{{png}}}"}}
            """, results[0].At("content.1"));
        Assert.Equal(("document", "application/pdf"),
            (results[1].Text("content.1.type"), results[1].Text("content.1.source.media_type")));
        var sent = openAi.Script.Requests[0].Body.At("messages").EnumerateArray().ToList();
        var tool = sent.FindIndex(message => message.Text("role") == "tool");
        Assert.Contains("[shown in the next message]", sent[tool].GetRawText(), StringComparison.Ordinal);
        Assert.Equal("user", sent[tool + 1].Text("role"));
        Assert.Contains($"data:image/png;base64,{png}", sent[tool + 1].GetRawText(), StringComparison.Ordinal);
        var blind = openAi.Script.Requests[1].Body.GetRawText();
        Assert.DoesNotContain(png, blind, StringComparison.Ordinal);
        Assert.Contains("There is a picture here, which you cannot see.", blind, StringComparison.Ordinal);
        Assert.Contains("There is a document here, which you cannot see.", blind, StringComparison.Ordinal);
    }

    private static IReadOnlyList<ContentBlock> Shown(TestSession session) =>
    [
        .. session.Model.Requests.Last().Messages.SelectMany(message => message.Content)
            .OfType<ModelToolResult>().SelectMany(result => result.Content),
    ];

    /// <summary>The result of reading a file, as a client gets it.</summary>
    private static async Task<JsonElement> Reads(TestSession session, string path)
    {
        session.Model.Calls("read", JsonSerializer.Serialize(new { file_path = path })).Says("seen");
        var turn = await session.Run(TestSession.Says("look"));
        return turn.Single(@event => @event.Name == "agent.tool_result").Json;
    }

    private async Task<TestSession> WithFile(string name, byte[] bytes, TestServer? on = null)
    {
        var session = await (on ?? server).NewSession(Tools);
        await session.Server.Services.GetRequiredService<SandboxProvider>().Open(session.Id, Cancelled);
        await Write(session, name, bytes);
        return session;
    }

    private static Task Write(TestSession session, string name, byte[] bytes) => File.WriteAllBytesAsync(
        Path.Combine(
            session.Server.Services.GetRequiredService<SandboxProvider>().FolderOf(session.Id).Workspace, name),
        bytes, Cancelled);
}
