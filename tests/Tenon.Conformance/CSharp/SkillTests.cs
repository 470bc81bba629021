using System.IO.Compression;
using System.Text;
using Anthropic.Core;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Skills;
using Anthropic.Models.Skills.Versions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;
using BetaSkills = Anthropic.Models.Beta.Skills;
using BetaVersions = Anthropic.Models.Beta.Skills.Versions;

namespace Tenon.Conformance.CSharp;

public sealed class SkillTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_operation_on_skills_works()
    {
        using var recorder = new RequestCounter();
        using var own = lab.Server.Client();
        var client = own.WithOptions(options => options with { HttpClient = recorder.Http });
        var skill = await client.Skills.Create(
            new SkillCreateParams { DisplayName = "My skill", Files = Files("One.") }, Cancellation);
        var first = await client.Skills.Versions.Retrieve(
            "latest", new VersionRetrieveParams { SkillID = skill.ID }, Cancellation);
        var second = await client.Skills.Versions.Create(
            skill.ID, new VersionCreateParams { Files = Files("Two.") }, Cancellation);

        Assert.Equal(("My skill", first.ID), (skill.DisplayName, skill.LatestVersionID));
        Assert.Equal(("my-skill", "One.", skill.ID), (first.Name, first.Description, first.SkillID));
        Assert.Equal(
            second.ID, (await client.Skills.Retrieve(skill.ID, cancellationToken: Cancellation)).LatestVersionID);
        var versions = await client.Skills.Versions.List(
            skill.ID, new VersionListParams { Limit = 1 }, Cancellation);
        Assert.Equal(second.ID, versions.Items.Single().ID);
        Assert.Equal(first.ID, (await versions.Next(Cancellation)).Items.Single().ID);
        Assert.Equal(
            ["docx", "pdf", "pptx", "xlsx"],
            (await client.Skills.List(new SkillListParams { Source = "anthropic" }, Cancellation))
                .Items.Select(item => item.ID));

        using var download = await client.Beta.Skills.Versions.Download(
            second.ID, new BetaVersions.VersionDownloadParams { SkillID = skill.ID }, Cancellation);
        using var zip = new ZipArchive(await download.ReadAsStream(Cancellation));
        Assert.Equal(["my-skill/SKILL.md", "my-skill/run.sh"], zip.Entries.Select(entry => entry.FullName));

        Assert.Equal(second.ID, (await client.Skills.Versions.Delete(
            second.ID, new VersionDeleteParams { SkillID = skill.ID }, Cancellation)).ID);
        Assert.Equal(skill.ID, (await client.Skills.Delete(skill.ID, cancellationToken: Cancellation)).ID);
        await Assert.ThrowsAsync<AnthropicNotFoundException>(
            () => client.Skills.Retrieve(skill.ID, cancellationToken: Cancellation));
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => client.Skills.Create(
            new SkillCreateParams { Files = [Content("x/notes.md", "no manifest")] }, Cancellation));
        Assert.Equal(Operations.Of("skills"), Operations.Used(recorder.Sent));
    }

    [Fact]
    public async Task An_agent_uses_a_skill_that_was_uploaded_as_a_zip_and_one_that_ships_with_the_server()
    {
        using var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var writer = new StreamWriter(archive.CreateEntry("greeting/SKILL.md").Open());
            await writer.WriteAsync("---\nname: greeting\ndescription: Greets.\n---\n\nSay good day.\n");
        }

        zip.Position = 0;
        var skill = await lab.Client.Beta.Skills.Create(new BetaSkills.SkillCreateParams
        {
            Files = [new BinaryContent { Stream = zip, FileName = "greeting.zip" }],
        }, Cancellation);
        var model = lab.Model(
            Reply.ToolUse("read", new { file_path = "/mnt/skills/greeting/SKILL.md" }),
            Reply.ToolUse("bash", new { command = "ls /mnt/skills/xlsx" }), Reply.Text("Good day."));
        var agent = await lab.Client.Beta.Agents.Create(new AgentCreateParams
        {
            Name = "greeter",
            Model = new BetaManagedAgentsModelConfigParams { ID = model.Name },
            Tools = [new BetaManagedAgentsAgentToolset20260401Params()],
            Skills =
            [
                new BetaManagedAgentsCustomSkillParams { SkillID = skill.ID, Version = "latest" },
                new BetaManagedAgentsAnthropicSkillParams { SkillID = "xlsx" },
            ],
        }, Cancellation);
        var session = await lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { Agent = agent.ID, EnvironmentID = lab.EnvironmentId }, Cancellation);

        var turn = await new LabSession(lab.Client, session.ID).Turn(Events.Message("Greet me."));

        Assert.Equal("greeting", skill.DisplayName);
        Assert.True(agent.Skills[0].TryPickBetaManagedAgentsCustom(out var custom));
        Assert.Equal(skill.LatestVersionID, custom.Version);
        var results = turn.Where(@event => @event.Type() == "agent.tool_result").Select(result => result.Text())
            .ToList();
        Assert.Contains("Say good day.", results[0], StringComparison.Ordinal);
        Assert.Equal("SKILL.md\nscripts", results[1]);
        Assert.All(model.Requests, request => Assert.Contains(
            "- greeting (/mnt/skills/greeting/SKILL.md): Greets.", request.GetRawText(), StringComparison.Ordinal));
    }

    private static IReadOnlyList<BinaryContent> Files(string description) =>
    [
        Content("my-skill/SKILL.md", $"---\nname: my-skill\ndescription: {description}\n---\n"),
        Content("my-skill/run.sh", "#!/bin/sh\n"),
    ];

    private static BinaryContent Content(string name, string text) =>
        new() { Stream = new MemoryStream(Encoding.UTF8.GetBytes(text)), FileName = name };
}
