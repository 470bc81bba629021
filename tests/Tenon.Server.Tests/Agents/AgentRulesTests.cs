using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Agents;

/// <summary>What an agent may not be, and how the refusal names the field.</summary>
public sealed class AgentRulesTests(TestServer server)
{
    private const string Policies = "is not one of always_allow, always_ask, auto.";

    public static TheoryData<string, string> Refusals => new()
    {
        { "\"name\":\"\"", "name: must have 1 to 256 characters." },
        { $"\"name\":\"{new string('n', 257)}\"", "name: must have 1 to 256 characters." },
        { $"\"description\":\"{new string('d', 2_049)}\"", "description: must have 0 to 2048 characters." },
        { $"\"system\":\"{new string('s', 100_001)}\"", "system: must have 0 to 100000 characters." },
        { "\"model\":\"\"", "model.id: must have 1 to 256 characters." },
        {
            "\"model\":{\"id\":\"m\",\"effort\":\"extreme\"}",
            "model.effort: 'extreme' is not one of low, medium, high, xhigh, max."
        },
        { "\"model\":{\"id\":\"m\",\"speed\":\"slow\"}", "model.speed: 'slow' is neither standard nor fast." },
        {
            $"\"tools\":[{Repeat(257, "{\"type\":\"agent_toolset_20260401\"}")}]",
            "tools: at most 256 entries are allowed."
        },
        {
            "\"tools\":[{\"type\":\"toolset_x\"}]",
            "tools.0.type: 'toolset_x' is not one of agent_toolset_20260401, mcp_toolset, custom."
        },
        { Toolset("{\"name\":\"rm\"}"), "tools.0.configs.0.name: 'rm' is not one of bash, " },
        { Toolset("null"), "tools.0.configs.0: null is not allowed" },
        {
            Toolset("{\"name\":\"bash\",\"permission_policy\":{\"type\":\"never\"}}"),
            $"tools.0.configs.0.permission_policy.type: 'never' {Policies}"
        },
        {
            "\"tools\":[{\"type\":\"agent_toolset_20260401\","
                + "\"default_config\":{\"permission_policy\":{\"type\":\"no\"}}}]",
            $"tools.0.default_config.permission_policy.type: 'no' {Policies}"
        },
        { Custom("a b"), "tools.0.name: 1 to 128 letters, digits, underscores and hyphens are allowed." },
        { Custom(new string('a', 129)), "tools.0.name: 1 to 128 letters" },
        { Custom("bash"), "tools.0.name: 'bash' is reserved." },
        { Custom("mcp__x"), "tools.0.name: 'mcp__x' is reserved." },
        { Custom("t", description: ""), "tools.0.description: must not be empty." },
        { Custom("t", schema: "{\"type\":\"array\"}"), "tools.0.input_schema: must be a JSON Schema with \"type\"" },
        { Custom("t", schema: "[]"), "tools.0.input_schema: must be a JSON Schema with \"type\"" },
        { "\"tools\":[" + CustomTool("t") + "," + CustomTool("t") + "]", "tools.1.name: the name 't' is used twice." },
        {
            "\"tools\":[{\"type\":\"mcp_toolset\",\"mcp_server_name\":\"gone\"}]",
            "tools: the mcp_toolset names the server 'gone', which mcp_servers lacks."
        },
        {
            "\"tools\":[{\"type\":\"agent_toolset_20260401\"},"
                + string.Join(',', Enumerable.Range(0, 249).Select(i => CustomTool($"t{i}"))) + "]",
            "tools: at most 256 tools are allowed over all toolsets."
        },
        { Servers(Server("s")), "mcp_servers: no mcp_toolset in tools refers to the server 's'." },
        { Servers(Server("s"), Server("s")), "mcp_servers.1.name: the name 's' is used twice." },
        { Servers(Server("")), "mcp_servers.0.name: must have 1 to 255 characters." },
        { Servers(Server("s", "ftp://x")), "mcp_servers.0.url: must be an absolute http or https URL." },
        { Servers(Server("s", "/mcp")), "mcp_servers.0.url: must be an absolute http or https URL." },
        { Servers(Server("s", type: "sse")), "mcp_servers.0.type: 'sse' is neither url nor stdio." },
        { Servers(Program(9)), "mcp_servers: at most 8 may be of the type stdio." },
        { Servers(Program(1, $"\"args\":[{Repeat(65, "\"a\"")}]")), "mcp_servers.0.args: at most 64 are allowed." },
        { Servers(Program(1, $"\"args\":[\"{new string('a', 8193)}\"]")),
            "mcp_servers.0.args.0: must have at most 8192 characters." },
        { Servers(Program(1, $"\"env\":{{\"A\":\"{new string('a', 33_000)}\"}}")),
            "mcp_servers.0.env: at most 64 variables of together 32768 bytes are allowed." },
        { Servers(Program(1, "\"env\":{\"A\\n\":\"\"}")),
            "mcp_servers.0.env: 'A\n' is not the name of an environment variable." },
        { Servers([.. Enumerable.Range(0, 21).Select(i => Server($"s{i}"))]), "mcp_servers: at most 20 are allowed." },
        { "\"skills\":[{\"type\":\"x\",\"skill_id\":\"s\"}]", "skills.0.type: 'x' is neither anthropic nor custom." },
        { "\"skills\":[{\"type\":\"custom\",\"skill_id\":\"\"}]", "skills.0.skill_id: must have 1 to 256 characters." },
        { "\"execution_identity\":{\"type\":\"root\"}", "execution_identity: must be service_account, or aws_role" },
        { "\"execution_identity\":{\"type\":\"aws_role\"}",
            "execution_identity: must be service_account, or aws_role" },
    };

    public static TheoryData<string, string> MetadataRefusals => new()
    {
        {
            $"{{{string.Join(',', Enumerable.Range(0, 17).Select(i => $"\"k{i}\":\"v\""))}}}",
            "metadata: at most 16 pairs"
        },
        { "{\"\":\"v\"}", "metadata: the key '' must have 1 to 64 characters." },
        { $"{{\"{new string('k', 65)}\":\"v\"}}", "metadata: the key 'kkk" },
        { $"{{\"k\":\"{new string('v', 513)}\"}}", "metadata.k: must be a string of at most 512 characters." },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task What_an_agent_may_not_be_is_refused_with_the_field(string fields, string message)
    {
        // A later member of the same name wins, so the field under test stands last.
        (await server.Post("/v1/agents", $$"""{"name":"n","model":"m",{{fields}}}""")).Refused(400, message);
    }

    [Theory]
    [MemberData(nameof(MetadataRefusals))]
    public async Task Metadata_over_its_limits_is_refused_with_its_code(string metadata, string message)
    {
        (await server.Post("/v1/agents", $$"""{"name":"n","model":"m","metadata":{{metadata}}}""")).Refused(
            400, message, "invalid_metadata");
    }

    [Fact]
    public async Task Metadata_at_its_limits_is_taken()
    {
        var pairs = Enumerable.Range(0, 16).Select(i => $"\"{i:D2}{new string('k', 62)}\":\"{new string('v', 512)}\"");

        await server.NewAgent(fields: $"\"metadata\":{{{string.Join(',', pairs)}}}");
    }

    [Fact]
    public async Task An_update_is_held_to_the_same_rules_and_changes_nothing_when_refused()
    {
        var path = $"/v1/agents/{await server.NewAgent()}";
        var before = (await server.Get(path)).Ok();

        (await server.Post(path, """{"name":"new","tools":[{"type":"mcp_toolset","mcp_server_name":"gone"}]}"""))
            .Refused(400, "tools: the mcp_toolset names the server 'gone'");

        JsonAssert.Equal(before.GetRawText(), (await server.Get(path)).Ok());
    }

    private static string Repeat(int count, string item) => string.Join(',', Enumerable.Repeat(item, count));

    private static string Toolset(string config) =>
        "\"tools\":[{\"type\":\"agent_toolset_20260401\",\"configs\":[" + config + "]}]";

    private static string Custom(string name, string description = "d", string schema = "{\"type\":\"object\"}") =>
        "\"tools\":[" + CustomTool(name, description, schema) + "]";

    private static string CustomTool(string name, string description = "d", string schema = "{\"type\":\"object\"}") =>
        $$"""{"type":"custom","name":"{{name}}","description":"{{description}}","input_schema":{{schema}}}""";

    private static string Servers(params string[] servers) => $"\"mcp_servers\":[{string.Join(',', servers)}]";

    private static string[] Program(int count, string fields = "\"args\":[]") => [.. Enumerable.Range(0, count)
        .Select(i => $$"""{"type":"stdio","name":"s{{i}}","command":"c",{{fields}}}""")];

    private static string Server(string name, string url = "https://example.com/mcp", string type = "url") =>
        $$"""{"type":"{{type}}","name":"{{name}}","url":"{{url}}"}""";
}
