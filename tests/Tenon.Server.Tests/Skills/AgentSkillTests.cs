using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>The skills of agents and sessions: versions are pinned when they are saved (api B.1, B.3).</summary>
public class AgentSkillTests(TestServer server)
{
    private const string Toolset = """{"type":"agent_toolset_20260401"}""";

    [Fact]
    public async Task Latest_becomes_the_version_that_is_newest_when_the_agent_is_saved()
    {
        var skill = await server.NewSkill();
        var (id, first) = (skill.Text("id"), skill.Text("latest_version_id"));
        var agent = (await server.Post("/v1/agents", $$"""
            {"name":"n","model":"m","skills":[{"type":"custom","skill_id":"{{id}}","version":"latest"},
             {"type":"anthropic","skill_id":"pdf"}]}
            """)).Ok();
        var path = $"/v1/agents/{agent.Text("id")}";
        var shipped = (await server.Get("/v1/skills/pdf")).Ok().Text("latest_version_id");
        JsonAssert.Equal($$"""
            [{"type":"custom","skill_id":"{{id}}","version":"{{first}}"},
             {"type":"anthropic","skill_id":"pdf","version":"{{shipped}}"}]
            """, agent.At("skills"));

        var second = (await server.Upload(
            $"/v1/skills/{id}/versions", SkillUploads.Files(says: "two"))).Ok().Text("id");

        // A change of something else leaves them as they are; to give them again takes what is newest now.
        Assert.Equal(first, (await server.Post(path, """{"name":"other"}""")).Ok().Text("skills.0.version"));
        var again = (await server.Post(
            path, $$"""{"skills":[{"type":"custom","skill_id":"{{id}}"}]}""")).Ok();
        Assert.Equal((second, 3), (again.Text("skills.0.version"), again.At("version").GetInt32()));
        var same = (await server.Post(path, $$"""{"skills":[{"type":"custom","skill_id":"{{id}}"}]}""")).Ok();
        Assert.Equal(3, same.At("version").GetInt32());
    }

    [Theory]
    [InlineData("""{"type":"anthropic","skill_id":"word"}""",
        "skills.0.skill_id: no skill 'word' ships with this server; these do: docx, pdf, pptx, xlsx.")]
    [InlineData("""{"type":"anthropic","skill_id":"pdf","version":"29991231"}""",
        "skills.0.version: version '29991231' of skill 'pdf' was not found.")]
    [InlineData("""{"type":"custom","skill_id":"skill_none"}""",
        "skills.0.skill_id: skill 'skill_none' was not found.")]
    [InlineData("""{"type":"custom","skill_id":"pdf"}""", "skills.0.skill_id: skill 'pdf' was not found.")]
    [InlineData("""{"type":"custom","skill_id":"skill_none","version":"skver_none"}""",
        "skills.0.version: version 'skver_none' of skill 'skill_none' was not found.")]
    public async Task A_skill_or_version_that_is_not_there_is_refused(string skill, string message)
    {
        (await server.Post("/v1/agents", $$"""{"name":"n","model":"m","skills":[{{skill}}]}""")).Refused(400, message);

        var agent = await server.NewAgent(fields: $"\"tools\":[{Toolset}]");
        (await server.Post($"/v1/agents/{agent}", $$"""{"skills":[{{skill}}]}""")).Refused(400, message);
        (await server.Post("/v1/sessions", $$"""
            {"agent":{"type":"agent_with_overrides","id":"{{agent}}","skills":[{{skill}}]},
             "environment_id":"{{await server.NewEnvironment()}}"}
            """)).Refused(400, $"agent.{message}");
    }

    [Fact]
    public async Task A_version_of_another_skill_is_not_this_ones()
    {
        var (skill, other) = (await server.NewSkill(), await server.NewSkill());

        (await server.Post("/v1/agents", $$"""
            {"name":"n","model":"m","skills":[{"type":"custom","skill_id":"{{skill.Text("id")}}",
             "version":"{{other.Text("latest_version_id")}}"}]}
            """)).Refused(400, "skills.0.version: version '");
        (await server.Get($"/v1/skills/{skill.Text("id")}/versions/{other.Text("latest_version_id")}"))
            .Refused(404, "Version '");
    }

    [Fact]
    public async Task A_session_needs_the_read_tool_for_its_skills_and_keeps_it()
    {
        var skills = "\"skills\":[{\"type\":\"anthropic\",\"skill_id\":\"pdf\"}]";
        var without = await server.NewAgent(fields: skills);
        var environment = await server.NewEnvironment();
        var disabled = await server.NewAgent(fields: skills + """
            ,"tools":[{"type":"agent_toolset_20260401","configs":[{"name":"read","enabled":false}]}]
            """);
        foreach (var agent in (string[])[without, disabled])
        {
            (await server.Post(
                "/v1/sessions", $$"""{"agent":"{{agent}}","environment_id":"{{environment}}"}""")).Refused(
                400, "agent.skills: skills are read with the read tool, which the agent has not");
        }

        var session = await server.NewSession($"[{Toolset}]", Overriding(await Agent(server), null, "pdf"));
        (await server.Post(session.Path, """{"agent":{"tools":[]}}""")).Refused(400, "agent.skills: skills are read");
    }

    [Fact]
    public async Task A_session_pins_what_is_newest_when_it_is_made_for_an_agent_of_an_older_server()
    {
        var agent = await server.NewAgent(fields: $$"""
            "tools":[{{Toolset}}],"skills":[{"type":"anthropic","skill_id":"pdf","version":"20250102"}]
            """);
        var session = (await server.Post("/v1/sessions", $$"""
            {"agent":"{{agent}}","environment_id":"{{await server.NewEnvironment()}}"}
            """)).Ok();

        Assert.Equal(
            (await server.Get("/v1/skills/pdf/versions/latest")).Ok().Text("id"),
            session.Text("agent.skills.0.version"));
    }

    [Fact]
    public async Task An_agent_whose_skill_was_deleted_can_change_and_gets_no_session()
    {
        var skill = await server.NewSkill();
        var agent = await server.NewAgent(fields:
            $"\"tools\":[{Toolset}],\"skills\":[{{\"type\":\"custom\",\"skill_id\":\"{skill.Text("id")}\"}}]");
        (await server.Delete($"/v1/skills/{skill.Text("id")}")).Ok();

        (await server.Post($"/v1/agents/{agent}", """{"name":"renamed"}""")).Ok();
        (await server.Post("/v1/sessions", $$"""
            {"agent":"{{agent}}","environment_id":"{{await server.NewEnvironment()}}"}
            """)).Refused(400, "agent.skills.0.version: version '");
    }

    [Fact]
    public async Task The_model_is_told_of_skills_in_the_same_words_for_the_sessions_whole_life()
    {
        await using var own = await TestServer.Start();
        var skill = await own.NewSkill();
        var session = await own.NewSession($"[{Toolset}]", Overriding(await Agent(own), skill.Text("id"), "pdf"));
        session.Model.Says("one").Says("two");

        await session.Run(TestSession.Says("first"));
        (await own.Upload($"/v1/skills/{skill.Text("id")}/versions", ("SKILL.md",
            System.Text.Encoding.UTF8.GetBytes(SkillUploads.Manifest(description: "Another description."))))).Ok();
        await own.Restart();
        session = session with { Model = own.Models.Of(session.ModelName) };
        await session.Run(TestSession.Says("second"));

        var system = session.Model.Requests.Select(request => request.System).Distinct().Single();
        Assert.Contains(
            $"\n- release-notes (/mnt/skills/release-notes/SKILL.md): {SkillUploads.Description}", system);
        Assert.Contains("\n- pdf (/mnt/skills/pdf/SKILL.md): Makes PDFs, ", system);
        Assert.DoesNotContain("Run scripts/run.sh", system);
    }

    [Fact]
    public async Task Where_the_client_runs_the_tools_the_paths_are_those_of_the_official_worker()
    {
        var agent = await Agent(server);
        var session = (await server.Post("/v1/sessions", $$"""
            {"environment_id":"{{await server.NewEnvironment("self_hosted")}}",{{Overriding(agent, null, "pdf")}} }
            """)).Ok();
        var model = server.Models.Of(session.Text("agent.model.id"));
        model.Says("done");

        await new TestSession(server, session, model).Run(TestSession.Says("go"));

        Assert.Contains("- pdf (skills/pdf/SKILL.md): ", model.Requests.Last().System);
    }

    private static async Task<string> Agent(TestServer server)
    {
        var session = await server.NewSession($"[{Toolset}]");
        return session.AgentId;
    }

    private static string Overriding(string agent, string? custom, params string[] shipped)
    {
        var skills = shipped.Select(name => new { type = "anthropic", skill_id = name }).Concat(
            custom is null ? [] : [new { type = "custom", skill_id = custom }]);
        return $$"""
            "agent":{"type":"agent_with_overrides","id":"{{agent}}","skills":{{JsonSerializer.Serialize(skills)}}}
            """;
    }
}
