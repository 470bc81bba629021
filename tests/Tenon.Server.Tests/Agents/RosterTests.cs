using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Agents;

/// <summary>Whom an agent may call upon (api B.2).</summary>
public sealed class RosterTests(TestServer server)
{
    [Fact]
    public async Task A_roster_is_pinned_to_versions_with_the_advisor_last()
    {
        var member = await server.NewAgent();
        await Update(member, """{"description":"second"}""");

        var agent = await Make($$$"""
            {"type":"coordinator","agents":[{"type":"advisor","model":"wise"},"{{{member}}}",{"type":"self"}]}
            """);

        JsonAssert.Equal($$$"""
            {"type":"coordinator","agents":[{"type":"agent","id":"{{{member}}}","version":2},
              {"type":"agent","id":"{{{agent.Text("id")}}}","version":1},{"type":"advisor","model":"wise"}]}
            """, agent.At("multiagent"));
        var updated = await Update(agent.Text("id"), """{"description":"new"}""");
        Assert.Equal(2, updated.At("multiagent.agents.1.version").GetInt32());
        Assert.Equal(2, (await Update(agent.Text("id"), """{"description":"new"}""")).At("version").GetInt32());
    }

    [Fact]
    public async Task The_newer_form_has_defaults_and_an_update_is_merged_into_it()
    {
        var member = await server.NewAgent();

        var agent = await Make("""{"type":"multiagent_20261001"}""");
        var updated = await Update(agent.Text("id"), $$$"""
            {"multiagent":{"type":"multiagent_20261001","workflows":{"type":"disabled"},
              "subagents":{"type":"enabled","predefined_agents":["{{{member}}}"]} } }
            """);
        var again = await Update(agent.Text("id"), """
            {"multiagent":{"type":"multiagent_20261001","advisor":{"type":"enabled","model":"wise"},"workflows":null}}
            """);

        const string enabled =
            """{"type":"enabled","inline_agents":{"type":"enabled"},"predefined_agents":[]}""";
        JsonAssert.Equal($$$"""
            {"type":"multiagent_20261001","subagents":{{{enabled}}},"workflows":{{{enabled}}},
             "advisor":{"type":"disabled"} }
            """, agent.At("multiagent"));
        JsonAssert.Equal($$$"""
            {"type":"multiagent_20261001","workflows":{"type":"disabled"},"advisor":{"type":"disabled"},
             "subagents":{"type":"enabled","inline_agents":{"type":"enabled"},
               "predefined_agents":[{"type":"agent","id":"{{{member}}}","version":1}]}}
            """, updated.At("multiagent"));
        JsonAssert.Equal($$$"""
            {"type":"multiagent_20261001","workflows":{{{enabled}}},"advisor":{"type":"enabled","model":"wise"},
             "subagents":{"type":"enabled","inline_agents":{"type":"enabled"},
               "predefined_agents":[{"type":"agent","id":"{{{member}}}","version":1}]}}
            """, again.At("multiagent"));
    }

    [Fact]
    public async Task A_session_has_the_definitions_of_its_roster()
    {
        var member = await server.NewAgent("member", "\"system\":\"Be brief.\"");
        var agent = await Make($$$"""{"type":"coordinator","agents":["{{{member}}}",{"type":"self"}]}""");
        var environment = await server.NewEnvironment();

        var session = (await server.Post("/v1/sessions", $$$"""
            {"environment_id":"{{{environment}}}","agent":{"type":"agent_with_overrides","id":"{{{agent.Text("id")}}}",
             "system":"Overridden."}}
            """)).Ok();

        var roster = session.At("agent.multiagent.agents");
        Assert.Equal("Be brief.", roster[0].Text("system"));
        Assert.Equal("member", roster[0].Text("model.id"));
        Assert.Equal("Overridden.", roster[1].Text("system"));
        Assert.False(roster[1].TryGetProperty("multiagent", out _));
    }

    [Fact]
    public async Task Rosters_that_cannot_be_are_refused()
    {
        var member = await server.NewAgent();
        var archived = await server.NewAgent();
        (await server.Post($"/v1/agents/{archived}/archive")).Ok();
        var nested = (await Make($$$"""{"type":"coordinator","agents":["{{{member}}}"]}""")).Text("id");
        var namesake = (await server.Post(
            "/v1/agents", """{"name":"anthropic.advisor","model":"m"}""")).Ok().Text("id");
        var abroad = (await server.Post(
            "/v1/agents", """{"name":"n","model":{"id":"m","inference_geo":"us"}}""")).Ok().Text("id");

        await Refused($$$"""["{{{archived}}}"]""", $"multiagent.agents.0: agent '{archived}' is archived.");
        await Refused($$$"""["{{{nested}}}"]""",
            $"multiagent.agents.0: agent '{nested}' has a roster of its own, and only one level is allowed.");
        await Refused($$$"""["{{{member}}}",{"type":"agent","id":"{{{member}}}"}]""",
            $"multiagent.agents.1: agent '{member}' is in the list twice.");
        await Refused("""["agent_none"]""", "multiagent.agents.0: there is no agent 'agent_none'.");
        await Refused($$$"""[{"type":"agent","id":"{{{member}}}","version":7}]""",
            $"multiagent.agents.0: agent '{member}' has no version 7.");
        await Refused("[]", "multiagent.agents: must be a list of 1 to 20 agents.");
        await Refused("""[{"type":"advisor","model":"a"},{"type":"advisor","model":"b"}]""",
            "multiagent.agents: at most one advisor is allowed.");
        await Refused($$$"""["{{{namesake}}}",{"type":"advisor","model":"a"}]""",
            $"multiagent.agents: the name of agent '{namesake}', anthropic.advisor, is reserved for the advisor.");
        await Refused($$$"""["{{{abroad}}}"]""",
            "multiagent.agents.0: model.inference_geo must be the same for the agent and all of its roster: "
            + $"agent '{abroad}' differs.");
        await Refused("""[{"type":"other"}]""",
            "multiagent.agents.0.type: 'other' is not one of agent, self, advisor.");
        (await server.Post("/v1/agents", """
            {"name":"n","model":"m","multiagent":{"type":"multiagent_20261001",
             "subagents":{"type":"enabled","inline_agents":{"type":"disabled"}}}}
            """)).Refused(400, "multiagent.subagents.predefined_agents: must name at least one agent when "
            + "inline_agents is disabled.");
        (await server.Post("/v1/agents", """
            {"name":"n","model":"m","multiagent":{"type":"multiagent_20261001"},
             "tools":[{"type":"custom","name":"send_to_agent","description":"d","input_schema":{"type":"object"}}]}
            """)).Refused(400, "tools.0.name: 'send_to_agent' is reserved for agents with a roster.");
    }

    private async Task<JsonElement> Make(string multiagent) => (await server.Post(
        "/v1/agents", $$$"""{"name":"n","model":"m","multiagent":{{{multiagent}}}}""")).Ok();

    private async Task<JsonElement> Update(string id, string body) =>
        (await server.Post($"/v1/agents/{id}", body)).Ok();

    private async Task Refused(string agents, string message) => (await server.Post(
        "/v1/agents", $$$"""{"name":"n","model":"m","multiagent":{"type":"coordinator","agents":{{{agents}}}}}"""))
        .Refused(400, message);
}
