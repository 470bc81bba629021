using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Agents;

/// <summary>Agents and their versions (api A.1, B.1).</summary>
public abstract class AgentTests(TestServer server)
{
    [Fact]
    public async Task A_name_and_a_model_are_enough_and_every_default_is_filled_in()
    {
        var agent = (await server.Post("/v1/agents", """{"name":"n","model":"m"}""")).Ok();

        Assert.Matches("^agent_[1-9A-Za-z]{22}$", agent.Text("id"));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", agent.Text("created_at"));
        JsonAssert.Equal($$"""
            {"type":"agent","id":"{{agent.Text("id")}}","version":1,"name":"n","description":null,"system":null,
             "model":{"id":"m","speed":"standard"},"tools":[],"mcp_servers":[],"skills":[],"multiagent":null,
             "execution_identity":{"type":"service_account"},"metadata":{},
             "created_at":"{{agent.Text("created_at")}}","updated_at":"{{agent.Text("created_at")}}","archived_at":null}
            """, agent);
        Assert.Equal("type", agent.Names()[0]);
        JsonAssert.Equal(agent.GetRawText(), (await server.Get($"/v1/agents/{agent.Text("id")}")).Ok());
    }

    [Fact]
    public async Task A_toolset_is_answered_with_its_defaults_and_only_the_entries_that_were_sent()
    {
        var agent = await Create("""
            "mcp_servers":[{"type":"url","name":"github","url":"https://example.com/mcp"}],
            "skills":[{"type":"anthropic","skill_id":"xlsx"}],
            "tools":[
              {"type":"agent_toolset_20260401","configs":[
                {"name":"bash","permission_policy":{"type":"always_ask"}},
                {"name":"web_fetch","enabled":false,"allowed_domains":["example.com"]}]},
              {"type":"mcp_toolset","mcp_server_name":"github","configs":[{"name":"search","enabled":false}]},
              {"type":"custom","name":"get_weather","description":"d","input_schema":{"type":"object","title":"t"}}]
            """);

        JsonAssert.Equal("""
            [{"type":"agent_toolset_20260401",
              "default_config":{"enabled":true,"permission_policy":{"type":"always_allow"}},
              "configs":[
                {"type":"bash","name":"bash","enabled":true,"permission_policy":{"type":"always_ask"}},
                {"type":"web_fetch","name":"web_fetch","enabled":false,"permission_policy":{"type":"always_allow"},
                 "allowed_domains":["example.com"],"url_sources":null}]},
             {"type":"mcp_toolset","mcp_server_name":"github",
              "default_config":{"enabled":true,"permission_policy":{"type":"always_ask"}},
              "configs":[{"name":"search","enabled":false,"permission_policy":{"type":"always_ask"}}]},
             {"type":"custom","name":"get_weather","description":"d","input_schema":{"type":"object","title":"t"}}]
            """, agent.At("tools"));
        Assert.Equal(
            (await server.Get("/v1/skills/xlsx")).Ok().Text("latest_version_id"), agent.Text("skills.0.version"));
    }

    [Fact]
    public async Task The_sources_of_web_fetch_are_taken_as_words_and_answered_as_objects()
    {
        var agent = await Create("""
            "tools":[{"type":"agent_toolset_20260401","configs":[
             {"name":"web_fetch","blocked_domains":["a.example.com"],
              "url_sources":{"user_input":"none","client_tool_results":{"type":"only",
               "tools":[{"type":"tool_reference","name":"find"}]}}}]},
             {"type":"custom","name":"find","description":"d","input_schema":{"type":"object","properties":
              {"a.b-c_1":{"anyOf":[{"type":"string"}],"enum":[{"$ref":"a value"}]}}}}]
            """);

        JsonAssert.Equal("""
            {"user_input":{"type":"none"},"server_tool_results":{"type":"all"},
             "client_tool_results":{"type":"only","tools":[{"type":"tool_reference","name":"find"}]}}
            """, agent.At("tools.0.configs.0.url_sources"));
        JsonAssert.Equal(
            agent.GetRawText(), (await server.Post(Path(agent), new { tools = agent.At("tools") })).Ok());
    }

    [Theory]
    [InlineData("\"high\"")]
    [InlineData("{\"type\":\"high\"}")]
    public async Task An_effort_is_taken_as_a_word_or_as_an_object_and_answered_as_an_object(string effort)
    {
        var agent = (await server.Post("/v1/agents", $$"""
            {"name":"n","model":{"id":"m","effort":{{effort}},"speed":"fast","inference_geo":"us"} }
            """)).Ok();

        JsonAssert.Equal(
            """{"id":"m","effort":{"type":"high"},"inference_geo":"us","speed":"fast"}""", agent.At("model"));
    }

    [Fact]
    public async Task An_update_makes_a_new_version_and_leaves_the_old_one_as_it_was()
    {
        var first = await Create("\"system\":\"be brief\",\"description\":\"d\"");
        var path = Path(first);

        var second = (await server.Post(path, """{"version":1,"name":"renamed","description":""}""")).Ok();

        Assert.Equal(2, second.At("version").GetInt32());
        Assert.Equal("renamed", second.Text("name"));
        Assert.Equal("be brief", second.Text("system"));
        Assert.Equal(JsonValueKind.Null, second.At("description").ValueKind);
        Assert.True(string.CompareOrdinal(second.Text("updated_at"), first.Text("updated_at")) > 0);
        JsonAssert.Equal(first.GetRawText(), (await server.Get($"{path}?version=1")).Ok());
        JsonAssert.Equal(second.GetRawText(), (await server.Get(path)).Ok());
        Assert.Equal(
            [2, 1], (await server.Get($"{path}/versions")).Ok().At("data").EnumerateArray().Select(Version));
        (await server.Get($"{path}?version=3")).Refused(404, $"Version 3 of agent '{first.Text("id")}' was not found.");
    }

    [Fact]
    public async Task A_change_without_effect_keeps_the_version()
    {
        var agent = await Create("\"metadata\":{\"a\":\"1\"}");

        var same = (await server.Post(Path(agent), """
            {"name":"tester","metadata":{"a":"1","b":null},"description":null,"tools":[]}
            """)).Ok();

        JsonAssert.Equal(agent.GetRawText(), same);
    }

    [Theory]
    [InlineData("""{"version":2,"name":"other"}""")]
    [InlineData("""{"version":2,"name":"tester"}""")]
    [InlineData("""{"version":2}""")]
    public async Task Another_version_than_the_current_one_is_a_conflict_also_without_a_change(string body)
    {
        var agent = await Create();

        (await server.Post(Path(agent), body)).Refused(
            409, $"Agent '{agent.Text("id")}' is at version 1, not 2: get it again and repeat the change.");

        JsonAssert.Equal(agent.GetRawText(), (await server.Get(Path(agent))).Ok());
    }

    [Fact]
    public async Task Of_two_updates_of_the_same_version_at_once_one_wins()
    {
        var agent = await Create();

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            i => server.Post(Path(agent), $$"""{"version":1,"name":"writer {{i}}"}""")));

        var won = Assert.Single(answers, answer => answer.Status == 200);
        Assert.All(answers.Where(answer => answer != won), answer => answer.Refused(409, "Agent "));
        JsonAssert.Equal(won.Json.GetRawText(), (await server.Get(Path(agent))).Ok());
    }

    [Fact]
    public async Task Metadata_is_patched_by_key()
    {
        var agent = await Create("\"metadata\":{\"keep\":\"1\",\"change\":\"1\",\"drop\":\"1\",\"empty\":\"1\"}");

        var updated = (await server.Post(
            Path(agent), """{"metadata":{"change":"2","drop":null,"empty":"","new":"1"}}""")).Ok();

        JsonAssert.Equal("""{"keep":"1","change":"2","empty":"","new":"1"}""", updated.At("metadata"));
    }

    [Fact]
    public async Task An_effort_left_out_stays_with_its_model_and_not_with_another()
    {
        var agent = (await server.Post("/v1/agents", """{"name":"n","model":{"id":"m","effort":"low"}}""")).Ok();

        var same = (await server.Post(Path(agent), """{"model":{"id":"m","speed":"fast"}}""")).Ok();
        var other = (await server.Post(Path(agent), """{"model":"other"}""")).Ok();

        JsonAssert.Equal("""{"id":"m","effort":{"type":"low"},"speed":"fast"}""", same.At("model"));
        JsonAssert.Equal("""{"id":"other","speed":"standard"}""", other.At("model"));
    }

    [Fact]
    public async Task Null_and_the_empty_list_clear_what_may_be_cleared()
    {
        var agent = await Create("""
            "system":"s","multiagent":{"type":"coordinator","agents":[{"type":"self"}]},
            "tools":[{"type":"agent_toolset_20260401"}],"skills":[{"type":"anthropic","skill_id":"pdf"}]
            """);

        var cleared = (await server.Post(
            Path(agent), """{"system":null,"multiagent":null,"tools":null,"skills":[]}""")).Ok();

        Assert.Equal(JsonValueKind.Null, cleared.At("system").ValueKind);
        Assert.Equal(JsonValueKind.Null, cleared.At("multiagent").ValueKind);
        JsonAssert.Equal("[]", cleared.At("tools"));
        JsonAssert.Equal("[]", cleared.At("skills"));
        (await server.Post(Path(agent), """{"name":null}""")).Refused(400, "name: cannot be cleared.");
        (await server.Post(Path(agent), """{"model":null}""")).Refused(400, "model: cannot be cleared.");
    }

    [Fact]
    public async Task An_archived_agent_stays_readable_and_takes_no_change()
    {
        var agent = await Create();
        var path = Path(agent);

        var archived = (await server.Post($"{path}/archive")).Ok();
        var again = (await server.Post($"{path}/archive")).Ok();

        Assert.Equal(JsonValueKind.String, archived.At("archived_at").ValueKind);
        JsonAssert.Equal(archived.GetRawText(), again);
        JsonAssert.Equal(archived.GetRawText(), (await server.Get(path)).Ok());
        (await server.Post(path, """{"name":"x"}""")).Refused(
            400, $"Agent '{agent.Text("id")}' is archived and cannot change.");
    }

    private async Task<JsonElement> Create(string fields = "")
    {
        var more = fields.Length > 0 ? "," + fields : "";
        return (await server.Post("/v1/agents", $$"""{"name":"tester","model":"m"{{more}}}""")).Ok();
    }

    private static string Path(JsonElement agent) => $"/v1/agents/{agent.Text("id")}";

    private static int Version(JsonElement agent) => agent.At("version").GetInt32();
}
