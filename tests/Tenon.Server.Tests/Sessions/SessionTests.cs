using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Making and reading sessions (api A.4, B.3).</summary>
public abstract class SessionTests(TestServer server)
{
    private const string Toolset = """[{"type":"agent_toolset_20260401"}]""";

    [Fact]
    public async Task A_new_session_is_idle_and_has_every_field()
    {
        var agentId = await server.NewAgent("m", "\"description\":\"d\",\"system\":\"s\"");
        var environmentId = await server.NewEnvironment();

        var session = await Create(agentId, environmentId, "\"title\":\"t\",\"metadata\":{\"k\":\"v\"}");

        Assert.Matches("^sesn_[1-9A-Za-z]{22}$", session.Text("id"));
        JsonAssert.Equal($$"""
            {"type":"session","id":"{{session.Text("id")}}","status":"idle","title":"t",
             "agent":{"type":"agent","id":"{{agentId}}","version":1,"name":"tester","description":"d","system":"s",
                      "model":{"id":"m","speed":"standard"},"tools":[],"mcp_servers":[],"skills":[],"multiagent":null,
                      "execution_identity":{"type":"service_account"} },
             "environment_id":"{{environmentId}}","deployment_id":null,"vault_ids":[],"resources":[],"budget":null,
             "outcome_evaluations":[],"stats":{"active_seconds":0,"duration_seconds":0},
             "usage":{"input_tokens":0,"output_tokens":0,"cache_read_input_tokens":0,
                      "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},
                      "active_seconds":0,"list_cost":{"amount":"0","currency":"USD"},
                      "server_tool_use":{"web_search_requests":0,"web_fetch_requests":0} },
             "metadata":{"k":"v"},"created_at":"{{session.Text("created_at")}}",
             "updated_at":"{{session.Text("updated_at")}}","archived_at":null}
            """, WithoutDuration(session));
        var read = (await server.Get($"/v1/sessions/{session.Text("id")}")).Ok();
        JsonAssert.Equal(WithoutDuration(session).GetRawText(), WithoutDuration(read));
    }

    [Fact]
    public async Task A_session_keeps_the_version_of_the_agent_it_was_made_with()
    {
        var agentId = await server.NewAgent();
        var environmentId = await server.NewEnvironment();
        var before = await Create(agentId, environmentId);

        await server.Post($"/v1/agents/{agentId}", """{"name":"second"}""");

        Assert.Equal("tester", (await server.Get($"/v1/sessions/{before.Text("id")}")).Ok().Text("agent.name"));
        Assert.Equal("second", (await Create(agentId, environmentId)).Text("agent.name"));
        var pinned = await Make($$"""{"type":"agent","id":"{{agentId}}","version":1}""", environmentId);
        Assert.Equal(("tester", 1), (pinned.Text("agent.name"), pinned.At("agent.version").GetInt32()));
        var newest = await Make($$"""{"type":"agent","id":"{{agentId}}"}""", environmentId);
        Assert.Equal(("second", 2), (newest.Text("agent.name"), newest.At("agent.version").GetInt32()));
    }

    [Fact]
    public async Task Overrides_replace_what_they_give_and_inherit_the_rest()
    {
        var agentId = (await server.Post("/v1/agents", $$"""
            {"name":"n","model":{"id":"m","effort":"high"},"system":"s","tools":{{Toolset}} }
            """)).Ok().Text("id");
        var environmentId = await server.NewEnvironment();

        var overridden = await Make(
            $$"""
            {"type":"agent_with_overrides","id":"{{agentId}}","system":"mine",
             "model":{"id":"x","effort":"low"} }
            """,
            environmentId);
        var cleared = await Make(
            $$"""{"type":"agent_with_overrides","id":"{{agentId}}","system":null,"tools":[]}""", environmentId);

        Assert.Equal("mine", overridden.Text("agent.system"));
        JsonAssert.Equal("""{"id":"x","speed":"standard"}""", overridden.At("agent.model"));
        Assert.Equal("agent_toolset_20260401", overridden.Text("agent.tools.0.type"));
        Assert.Equal((agentId, 1), (overridden.Text("agent.id"), overridden.At("agent.version").GetInt32()));
        Assert.Equal(JsonValueKind.Null, cleared.At("agent.system").ValueKind);
        JsonAssert.Equal("[]", cleared.At("agent.tools"));
        JsonAssert.Equal("""{"id":"m","effort":{"type":"high"},"speed":"standard"}""", cleared.At("agent.model"));
        Assert.Equal("s", (await server.Get($"/v1/agents/{agentId}")).Ok().Text("system"));
    }

    [Theory]
    [InlineData("\"model\":null", "agent.model: agent_model_required")]
    [InlineData("\"tools\":null", "agent.tools: skills need the read tool")]
    [InlineData("\"tools\":[null]", "agent.tools.0: null is not allowed")]
    [InlineData("\"model\":{}", "agent.model.id: field required")]
    [InlineData("\"version\":7", "Version 7 of agent ")]
    public async Task A_bad_override_is_refused(string overrides, string message)
    {
        var agentId = await server.NewAgent(
            fields: $"\"tools\":{Toolset},\"skills\":[{{\"type\":\"anthropic\",\"skill_id\":\"pdf\"}}]");
        var environmentId = await server.NewEnvironment();

        (await server.Post("/v1/sessions", $$"""
            {"agent":{"type":"agent_with_overrides","id":"{{agentId}}",{{overrides}} },
             "environment_id":"{{environmentId}}"}
            """)).Refused(message.StartsWith("Version", StringComparison.Ordinal) ? 404 : 400, message);
    }

    [Theory]
    [InlineData(
        "\"initial_events\":[{\"type\":\"user.define_outcome\",\"description\":\"d\",\"rubric\":{}}]",
        "initial_events.0.rubric.type: field required")]
    [InlineData(
        "\"initial_events\":[{\"type\":\"user.interrupt\"}]",
        "initial_events.0.type: 'user.interrupt' cannot start a session")]
    [InlineData(
        "\"initial_events\":[{\"type\":\"user.message\",\"content\":[]}]",
        "initial_events.0.content: must not be empty.")]
    [InlineData("\"initial_events\":[null]", "initial_events.0: null is not allowed")]
    [InlineData("\"metadata\":{\"k\":7}", "metadata.k: the value has the wrong type")]
    [InlineData("\"title\":7", "title: the value has the wrong type")]
    public async Task What_a_session_may_not_be_made_with_is_refused_with_the_field(string fields, string message)
    {
        var agentId = await server.NewAgent();
        var environmentId = await server.NewEnvironment();

        (await server.Post("/v1/sessions", $$"""
            {"agent":"{{agentId}}","environment_id":"{{environmentId}}",{{fields}} }
            """)).Refused(400, message);

        JsonAssert.Equal("[]", (await server.Get($"/v1/sessions?agent_id={agentId}")).Ok().At("data"));
    }

    [Fact]
    public async Task At_most_50_initial_events_are_taken()
    {
        var agentId = await server.NewAgent();
        var events = string.Join(',', Enumerable.Repeat(TestSession.Says("x"), 51));

        (await server.Post("/v1/sessions", $$"""
            {"agent":"{{agentId}}","environment_id":"{{await server.NewEnvironment()}}","initial_events":[{{events}}]}
            """)).Refused(400, "initial_events: at most 50 are allowed.");
    }

    [Fact]
    public async Task Agents_and_environments_that_are_unknown_or_archived_are_refused()
    {
        var (agentId, environmentId) = (await server.NewAgent(), await server.NewEnvironment());
        var (archivedAgent, archivedEnvironment) = (await server.NewAgent(), await server.NewEnvironment());
        await server.Post($"/v1/agents/{archivedAgent}/archive");
        await server.Post($"/v1/environments/{archivedEnvironment}/archive");

        (await server.Post("/v1/sessions", Body("agent_x", environmentId)))
            .Refused(404, "Agent 'agent_x' was not found.");
        (await server.Post("/v1/sessions", Body(agentId, "env_x"))).Refused(
            404, "Environment 'env_x' was not found.", "environment_not_found");
        (await server.Post("/v1/sessions", Body(archivedAgent, environmentId))).Refused(
            400, $"agent: agent '{archivedAgent}' is archived.");
        (await server.Post("/v1/sessions", Body(agentId, archivedEnvironment))).Refused(
            400, $"environment_id: environment '{archivedEnvironment}' is archived.", "environment_archived");
    }

    [Fact]
    public async Task With_initial_events_a_session_starts_running_and_does_the_work()
    {
        server.Models.Of("initial").Says("done");
        var session = await server.NewSessionOf(
            "initial", await server.NewAgent("initial"), $"\"initial_events\":[{TestSession.Says("go")}]");

        // The turn began before anyone looked, so the first stream has it from the start.
        await using var stream = await session.Stream();
        var seen = await stream.Until("session.status_idle");

        Assert.Equal("running", session.Created.Text("status"));
        Assert.Equal("user.message", seen[0].Name);
        Assert.Equal("done", seen.Single(@event => @event.Name == "agent.message").Json.Text("content.0.text"));
        Assert.Equal("idle", (await session.Get()).Text("status"));
    }

    [Fact]
    public async Task An_empty_list_of_initial_events_is_none()
    {
        var session = await server.NewSession(fields: "\"initial_events\":[]");

        Assert.Equal("idle", session.Created.Text("status"));
        Assert.Empty(await session.Types());
    }

    [Fact]
    public async Task A_session_outlives_the_archive_of_its_agent_and_its_environment()
    {
        var session = await server.NewSession();
        session.Model.Says("still here");
        await server.Post($"/v1/agents/{session.AgentId}/archive");
        await server.Post($"/v1/environments/{session.Created.Text("environment_id")}/archive");

        var turn = await session.Run(TestSession.Says("go"));

        Assert.Contains(turn, @event => @event.Name == "agent.message");
    }

    private async Task<JsonElement> Create(string agentId, string environmentId, string fields = "") =>
        await Make($"\"{agentId}\"", environmentId, fields);

    private async Task<JsonElement> Make(string agent, string environmentId, string fields = "")
    {
        var more = fields.Length > 0 ? "," + fields : "";
        return (await server.Post(
            "/v1/sessions", $$"""{"agent":{{agent}},"environment_id":"{{environmentId}}"{{more}}}""")).Ok();
    }

    private static string Body(string agentId, string environmentId) =>
        $$"""{"agent":"{{agentId}}","environment_id":"{{environmentId}}"}""";

    // How long a session exists depends on when it is asked for.
    private static JsonElement WithoutDuration(JsonElement session)
    {
        var duration = session.At("stats.duration_seconds").GetRawText();
        return JsonElement.Parse(session.GetRawText().Replace(
            $"\"duration_seconds\":{duration}", "\"duration_seconds\":0", StringComparison.Ordinal));
    }
}
