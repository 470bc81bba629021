using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Files;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>
/// Images and documents that name a file (api B.12): checked when they come, read when the model is asked.
/// </summary>
public sealed class FileSourceTests(TestServer server)
{
    private const string Custom =
        """[{"type":"custom","name":"look","description":"d","input_schema":{"type":"object"}}]""";

    private static readonly byte[] Png = [0x89, .. "PNG\r\n"u8, 1, 2, 3];
    private static readonly byte[] Pdf = "%PDF-1.7 and so on"u8.ToArray();

    [Fact]
    public async Task The_model_gets_the_bytes_and_the_log_keeps_the_id()
    {
        var image = await server.NewFile(Png, "a.png", "image/png");
        var pdf = await server.NewFile(Pdf, "a.pdf", "application/pdf");
        var text = await server.NewFile("\uFEFFgrüß ✓", "notes.md", "text/markdown");
        var session = await server.NewSession();
        session.Model.Says("seen");

        await session.Run(Message(Image(image), Document(pdf, "\"title\":\"T\","), Document(text)));

        var asked = session.Model.Requests.Single().Messages.Single().Content.Cast<ModelMedia>()
            .Select(media => media.Block).ToList();
        Assert.Equal(new MediaSource
        {
            Type = "base64", MediaType = "image/png", Data = Convert.ToBase64String(Png),
        }, Assert.IsType<ImageBlock>(asked[0]).Source);
        var document = Assert.IsType<DocumentBlock>(asked[1]);
        Assert.Equal(("T", "application/pdf", Convert.ToBase64String(Pdf)),
            (document.Title, document.Source.MediaType, document.Source.Data));
        Assert.Equal(new MediaSource { Type = "text", MediaType = "text/plain", Data = "grüß ✓" },
            Assert.IsType<DocumentBlock>(asked[2]).Source);
        var logged = (await session.List("?types=user.message")).At("0.content");
        JsonAssert.Equal($$"""{"type":"file","file_id":"{{image}}"}""", logged.At("0.source"));
    }

    [Fact]
    public async Task Initial_events_and_results_of_custom_tools_show_files_too()
    {
        var image = await server.NewFile(Png, "a.png", "image/png");
        const string Model = "scripted-with-files";
        var agent = await server.NewAgent(Model, $"\"tools\":{Custom}");
        server.Models.Of(Model).Calls("look", "{}").Says("seen");
        var session = await server.NewSessionOf(Model, agent, $"\"initial_events\":[{Message(Image(image))}]");
        await using (var stream = await session.Stream())
        {
            await stream.Until("session.status_idle");
        }

        var call = (await session.List("?types=agent.custom_tool_use")).Text("0.id");
        await session.Run($$"""
            {"type":"user.custom_tool_result","custom_tool_use_id":"{{call}}","content":[{{Image(image)}}]}
            """);

        var asked = session.Model.Requests.Last().Messages;
        var first = Assert.IsType<ImageBlock>(Assert.IsType<ModelMedia>(asked[0].Content.Single()).Block);
        var result = Assert.IsType<ModelToolResult>(asked[^1].Content.Single());
        Assert.Equal(Convert.ToBase64String(Png), first.Source.Data);
        Assert.Equal(first.Source, Assert.IsType<ImageBlock>(result.Content.Single()).Source);
    }

    [Fact]
    public async Task A_file_that_went_becomes_a_sentence_and_the_session_goes_on()
    {
        var image = await server.NewFile(Png, "a.png", "image/png");
        var session = await server.NewSession();
        session.Model.Says("seen").Says("still here");
        await session.Run(Message(Image(image)));

        (await server.Delete($"/v1/files/{image}")).Ok();
        var turn = await session.Run(TestSession.Says("and now?"));

        Assert.Equal(
            new ModelText($"[The file {image} that stood here is gone: it was deleted or has expired.]"),
            session.Model.Requests.Last().Messages[0].Content.Single());
        Assert.Equal("end_turn", turn[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task When_not_all_files_fit_into_a_request_the_newest_do()
    {
        byte[] most = [.. Pdf, .. new byte[MediaLimits.RequestBytesMax - 100]];
        var big = await server.NewFile(most, "a.pdf", "application/pdf");
        var small = await server.NewFile(Png, "a.png", "image/png");
        var last = await server.NewFile([.. Pdf, .. new byte[200]], "b.pdf", "application/pdf");
        var session = await server.NewSession();
        session.Model.Says("seen");

        await session.Run(Message(Document(big), Image(small), Document(last)));

        var asked = session.Model.Requests.Single().Messages.Single().Content;
        Assert.StartsWith($"[The file {big} that stood here is left out:",
            Assert.IsType<ModelText>(asked[0]).Text, StringComparison.Ordinal);
        Assert.All(asked.Skip(1), content => Assert.IsType<ModelMedia>(content));
    }

    [Fact]
    public async Task A_file_that_no_model_can_be_shown_is_refused_with_its_place()
    {
        var csv = await server.NewFile();
        var png = await server.NewFile(Png, "a.png", "image/png");
        var zip = await server.NewFile([1, 2], "a.zip", "application/zip");
        var wrong = await server.NewFile([1, 2, 3, 4, 5], "b.png", "image/png");
        var big = await server.NewFile([.. Png, .. new byte[5 << 20]], "c.png", "image/png");
        var session = await server.NewSession();

        await Refuses(Image("file_x"), "file 'file_x' was not found.");
        await Refuses(Image(csv), $"file '{csv}' has the type text/csv; an image is");
        await Refuses(Document(png), $"file '{png}' has the type image/png; an image is");
        await Refuses(Document(zip), $"file '{zip}' has the type application/zip; an image is");
        await Refuses(Image(wrong), $"file '{wrong}' is not the image/png that it was uploaded as.");
        await Refuses(Image(big), $"file '{big}' has 5242889 bytes; a model is shown at most 3932160.");
        (await session.Post(Message(Enumerable.Repeat(Image(png), 101).ToArray())))
            .Refused(400, "events: at most 100 images and documents can name a file.");
        (await session.Post(Message("""{"type":"image","source":{"type":"file"}}""")))
            .Refused(400, "events.0.content.0.source.file_id: field required");
        Assert.Empty(await session.Types());

        async Task Refuses(string block, string message) =>
            (await session.Post(Message("""{"type":"text","text":"see"}""", block)))
                .Refused(400, $"events.0.content.1.source.file_id: {message}");
    }

    [Fact]
    public async Task A_file_that_has_expired_is_refused_and_one_that_expires_later_becomes_a_sentence()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var own = await TestServer.Start(services => services.AddSingleton<TimeProvider>(clock));
        var file = (await own.Upload(Uploads.Form(Png, "a.png", "image/png", "3600"))).Ok().Text("id");
        var session = await own.NewSession();
        session.Model.Says("seen").Says("still here");
        await session.Run(Message(Image(file)));

        clock.Advance(TimeSpan.FromHours(1));
        (await session.Post(Message(Image(file))))
            .Refused(400, $"events.0.content.0.source.file_id: file '{file}' has expired.");
        await session.Run(TestSession.Says("and now?"));

        Assert.Equal(
            new ModelText($"[The file {file} that stood here is gone: it was deleted or has expired.]"),
            session.Model.Requests.Last().Messages[0].Content[0]);
    }

    [Fact]
    public async Task Every_provider_is_sent_the_bytes()
    {
        var (image, text) = (await server.NewFile(Png, "a.png", "image/png"), await server.NewFile("the notes"));
        await using var anthropic = new AnthropicService();
        await using var openAi = new OpenAiService();
        anthropic.Enqueue(Reply.Text("seen"));
        openAi.Enqueue(Reply.Text("seen"));
        var request = ModelRun.Ask("hi") with
        {
            Messages =
            [
                new ModelMessage(ModelRole.User,
                [
                    new ModelMedia(new ImageBlock { Source = new() { Type = "file", FileId = image } }),
                    new ModelMedia(new DocumentBlock { Source = new() { Type = "file", FileId = text } }),
                ]),
            ],
        };

        await ModelRun.Of(Filling(new AnthropicModel(
            new AnthropicAccess("key", null, anthropic.Url), ModelCatalog.Default, TimeProvider.System)), request);
        await ModelRun.Of(Filling(
            new ChatModel(new ChatAccess("key", openAi.Script.Url + "/v1"), TimeProvider.System)), request);

        foreach (var sent in (string[])
            [anthropic.Requests[0].Body.GetRawText(), openAi.Script.Requests[0].Body.GetRawText()])
        {
            Assert.Contains(Convert.ToBase64String(Png), sent, StringComparison.Ordinal);
            Assert.Contains("the notes", sent, StringComparison.Ordinal);
        }
    }

    private ModelFiles Filling(IModel model) => new(
        model, server.Services.GetRequiredService<FileStore>(), server.Services.GetRequiredService<IBlobStore>(),
        TimeProvider.System);

    private static string Message(params string[] blocks) =>
        $$"""{"type":"user.message","content":[{{string.Join(',', blocks)}}]}""";

    private static string Image(string id) =>
        $$$"""{"type":"image","source":{"type":"file","file_id":"{{{id}}}"}}""";

    private static string Document(string id, string fields = "") =>
        $$$"""{"type":"document",{{{fields}}}"source":{"type":"file","file_id":"{{{id}}}"}}""";
}
