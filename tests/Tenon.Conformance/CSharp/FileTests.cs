using System.Text;
using System.Text.Json;
using Anthropic.Core;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Anthropic.Models.Beta.Sessions.Resources;
using Anthropic.Models.Files;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;
using BetaFiles = Anthropic.Models.Beta.Files;

namespace Tenon.Conformance.CSharp;

public sealed class FileTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_reads_a_mounted_file_as_in_the_official_example()
    {
        var model = lab.Model(
            Reply.ToolUse("read", new { file_path = "/uploads/data.csv" }),
            Reply.Text("The columns are name and score."));
        var agent = await lab.Agent(model, new BetaManagedAgentsAgentToolset20260401Params
        {
            DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
            {
                Enabled = true, PermissionPolicy = new BetaManagedAgentsAlwaysAllowPolicy(),
            },
        });
        using var content = Content("name,score\nAda,95\n");
        var file = await lab.Client.Beta.Files.Upload(new BetaFiles.FileUploadParams
        {
            File = new BinaryContent { Stream = content, FileName = "data.csv", ContentType = new("text/csv") },
        }, Cancellation);
        var session = await lab.Client.Beta.Sessions.Create(new SessionCreateParams
        {
            Agent = agent.ID,
            EnvironmentID = lab.EnvironmentId,
            Resources = [new BetaManagedAgentsFileResourceParams
            {
                FileID = file.ID, MountPath = "data.csv",
            }],
        }, Cancellation);
        var resources = await lab.Client.Beta.Sessions.Resources.List(session.ID, cancellationToken: Cancellation);

        var turn = await new LabSession(lab.Client, session.ID)
            .Turn(Events.Message("Read /uploads/data.csv and tell me the column names."));

        Assert.Equal(("data.csv", "text/csv", 18), (file.Filename, file.MimeType, file.SizeBytes));
        Assert.StartsWith("sesrsc_", Assert.Single(resources.Items).ID, StringComparison.Ordinal);
        Assert.StartsWith("name,score\n", turn.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.Equal("The columns are name and score.", turn.The("agent.message").Text());
    }

    [Fact]
    public async Task Files_are_listed_page_by_page_read_and_deleted()
    {
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            made.Insert(0, (await Upload($"csharp-{i}.txt", $"{i}")).ID);
        }

        var listed = new List<string>();
        var page = await lab.Client.Files.List(new FileListParams { Limit = 2 }, Cancellation);
        while (!listed.Contains(made[^1]))
        {
            listed.AddRange(page.Items.Select(file => file.ID));
            page = page.HasNext() ? await page.Next(Cancellation) : page;
        }

        Assert.Equal(made, listed.Where(made.Contains));
        var named = await lab.Client.Files.List(new FileListParams { Ids = [made[2], "file_none"] }, Cancellation);
        Assert.Equal([made[2]], named.Items.Select(file => file.ID));
        Assert.Equal(
            "csharp-4.txt",
            (await lab.Client.Files.RetrieveMetadata(made[0], cancellationToken: Cancellation)).Filename);
        Assert.Equal(made[0], (await lab.Client.Files.Delete(made[0], cancellationToken: Cancellation)).ID);
        await Assert.ThrowsAsync<AnthropicNotFoundException>(
            () => lab.Client.Files.RetrieveMetadata(made[0], cancellationToken: Cancellation));
        await Assert.ThrowsAsync<AnthropicFileNotDownloadableException>(
            () => lab.Client.Files.Download(made[1], cancellationToken: Cancellation));
    }

    [Fact]
    public async Task What_an_agent_leaves_in_its_outputs_is_listed_by_scope_and_downloaded()
    {
        var session = await lab.Session(
            lab.Model(
                Reply.ToolUse("bash", new { command = "echo report > /mnt/session/outputs/report.txt" }),
                Reply.Text("done")),
            new BetaManagedAgentsAgentToolset20260401Params());
        await session.Turn(Events.Message("Write the report."));

        var listed = await lab.Client.Beta.Files.List(
            new BetaFiles.FileListParams { ScopeID = session.Id, Betas = ["managed-agents-2026-04-01"] }, Cancellation);
        var file = Assert.Single(listed.Items);
        using var content = await lab.Client.Files.Download(file.ID, cancellationToken: Cancellation);
        using var reader = new StreamReader(await content.ReadAsStream(Cancellation));

        Assert.Equal(("report.txt", true, session.Id), (file.Filename, file.Downloadable, file.Scope!.ID));
        Assert.Equal("report\n", await reader.ReadToEndAsync(Cancellation));
    }

    [Fact]
    public async Task A_file_that_expires_says_when_and_the_older_form_of_the_list_goes_by_ids()
    {
        var made = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            using var content = Content("soon");
            var file = await lab.Client.Beta.Files.Upload(new BetaFiles.FileUploadParams
            {
                File = new BinaryContent { Stream = content, FileName = $"soon-{i}.txt" }, ExpiresInSeconds = 3600,
            }, Cancellation);
            Assert.Equal(file.CreatedAt.AddSeconds(3600), file.ExpiresAt);
            made.Insert(0, file.ID);
        }

        using var http = lab.Server.Http();
        http.DefaultRequestHeaders.Add("anthropic-version", "2023-06-01");
        using var page = JsonDocument.Parse(
            await http.GetStringAsync($"/v1/files?limit=1&after_id={made[0]}", Cancellation));

        Assert.Equal(
            (made[1], made[1], true),
            (page.RootElement.GetProperty("first_id").GetString(), page.RootElement.GetProperty("last_id").GetString(),
                page.RootElement.GetProperty("has_more").GetBoolean()));
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Files.Upload(
            new BetaFiles.FileUploadParams
            {
                File = new BinaryContent { Stream = Content("x"), FileName = "x" }, ExpiresInSeconds = 3599,
            }, Cancellation));
    }

    [Fact]
    public async Task Pictures_of_the_user_and_of_a_tool_are_shown_to_the_model()
    {
        using var content = new MemoryStream(MediaSamples.Png);
        var file = await lab.Client.Files.Upload(new FileUploadParams
        {
            File = new BinaryContent { Stream = content, FileName = "a.png", ContentType = new("image/png") },
        }, Cancellation);
        var model = lab.Model(Reply.ToolUse("read", new { file_path = "/uploads/a.png" }), Reply.Text("It is."));
        var session = await lab.Session(model, new BetaManagedAgentsAgentToolset20260401Params());
        await lab.Client.Beta.Sessions.Resources.Add(
            session.Id, new ResourceAddParams { FileID = file.ID, MountPath = "a.png" }, Cancellation);

        var turn = await session.Turn(new BetaManagedAgentsUserMessageEventParams
        {
            Content =
            [
                new BetaManagedAgentsTextBlock { Text = "Is it the one that you have?" },
                new BetaManagedAgentsImageBlock { Source = new BetaManagedAgentsFileImageSource { FileID = file.ID } },
            ],
        });

        var shown = turn.The("agent.tool_result").GetProperty("content")[1];
        var id = shown.GetProperty("source").GetProperty("file_id").GetString()!;
        using var download = await lab.Client.Files.Download(id, cancellationToken: Cancellation);
        using var bytes = new MemoryStream();
        await (await download.ReadAsStream(Cancellation)).CopyToAsync(bytes, Cancellation);

        Assert.Equal("image", shown.GetProperty("type").GetString());
        Assert.Equal(MediaSamples.Png, bytes.ToArray());
        var png = $"\"data\":\"{Convert.ToBase64String(MediaSamples.Png)}\"";
        Assert.Equal([1, 2], model.Requests.Select(request => request.GetRawText().Split(png).Length - 1));
    }

    [Fact]
    public async Task Resources_are_added_to_a_session_and_removed_from_it()
    {
        var session = await lab.Session(lab.Model());
        var file = await Upload("notes.txt", "notes");

        var added = await lab.Client.Beta.Sessions.Resources.Add(
            session.Id, new ResourceAddParams { FileID = file.ID }, Cancellation);
        var removed = await lab.Client.Beta.Sessions.Resources.Delete(
            added.ID, new ResourceDeleteParams { SessionID = session.Id }, Cancellation);

        Assert.Equal($"/mnt/session/uploads/{file.ID}", added.MountPath);
        Assert.Equal(added.ID, removed.ID);
        Assert.Empty((await session.Get()).Resources);
    }

    private async Task<FileMetadata> Upload(string name, string text)
    {
        using var content = Content(text);
        return await lab.Client.Files.Upload(new FileUploadParams
        {
            File = new BinaryContent { Stream = content, FileName = name, ContentType = new("text/plain") },
        }, Cancellation);
    }

    private static MemoryStream Content(string text) => new(Encoding.UTF8.GetBytes(text));
}
