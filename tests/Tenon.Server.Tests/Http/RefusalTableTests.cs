using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Memory;
using Tenon.Server.Tests.Support;
using Tenon.Server.Tests.Vaults;
using Xunit;

namespace Tenon.Server.Tests.Http;

/// <summary>The table of refusals in docs/compatibility.md: each row is sent, and refused as it says.</summary>
public sealed class RefusalTableTests(TestServer server)
{
    public static TheoryData<string> Requests => [.. RefusalCases.All.Select(refused => refused.Request)];

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_request_of_the_table_is_refused_as_the_table_says(string request)
    {
        var refused = RefusalCases.All.Single(refused => refused.Request == request);
        var ids = await Ids(refused.Request + refused.Message);
        var parts = Fill(refused.Request, ids).Split(' ', 3);

        var answer = await server.Send(
            new HttpMethod(parts[0]), parts[1], parts.Length < 3 ? null : await Whole(parts[1], parts[2]));

        answer.Refused(refused.Status, Fill(refused.Message, ids), refused.ErrorCode);
        Assert.Equal(refused.ErrorType, answer.Json.Text("error.type"));
    }

    [Fact]
    public void The_table_has_exactly_the_requests_that_are_sent()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs/compatibility.md"));
        var section = page.Split("## Refusals")[1].Split("\n## ")[0];

        Assert.Equal(
            RefusalCases.All.Select(refused => refused.Row),
            section.Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal)));
    }

    /// <summary>
    /// The fields under test behind those that every such body needs; of two of a name the later counts.
    /// </summary>
    private async Task<string> Whole(string path, string body) => path switch
    {
        "/v1/agents" => "{\"name\":\"n\",\"model\":\"m\"," + body[1..],
        "/v1/environments" => "{\"name\":\"n\"," + body[1..],
        "/v1/memory_stores" => "{\"name\":\"n\"," + body[1..],
        "/v1/sessions" => $"{{\"agent\":\"{await server.NewAgent()}\","
            + $"\"environment_id\":\"{await server.NewEnvironment()}\"," + body[1..],
        _ => body,
    };

    private static string Fill(string text, Dictionary<string, string> ids) => ids
        .Aggregate(text, (filled, id) => filled.Replace($"{{{id.Key}}}", id.Value))
        .Replace("BUILTIN(", """{"type":"agent_toolset_20260401","configs":[""")
        .Replace("VARIABLE(", """
            {"type":"environment_variable","secret_name":"A","secret_value":"secret-1",
            "networking":{"type":"unrestricted"},
            """)
        .Replace("REPOSITORY(", """{"type":"github_repository","url":"https://github.com/a/b",""")
        .Replace("),{", text.Contains("REPOSITORY(") ? "},{" : "),{")
        .Replace(")]}", text.Contains("REPOSITORY(") ? "}]}" : ")]}")
        .Replace(")}", text.Contains("VARIABLE(") ? "}}" : ")}")
        .Replace("CUSTOM(", """{"type":"custom","name":"t","description":"d","input_schema":""")
        .Replace("})]", text.Contains("BUILTIN(") ? "}]}]" : "}}]");

    private async Task<Dictionary<string, string>> Ids(string text)
    {
        var ids = new Dictionary<string, string>();
        if (text.Contains("agent}"))
        {
            ids["agent"] = await server.NewAgent();
            ids["archived_agent"] = await Archived($"/v1/agents/{await server.NewAgent()}");
        }

        if (text.Contains("{file}"))
        {
            ids["file"] = await server.NewFile();
        }

        if (text.Contains("store}"))
        {
            ids["store"] = await server.NewStore();
            ids["memory"] = await server.NewMemory(ids["store"], "/m");
            ids["version"] = (await server.Versions(ids["store"])).Single().Text("id");
            ids["archived_store"] = await Archived($"/v1/memory_stores/{await server.NewStore()}");
        }

        if (text.Contains("env}"))
        {
            ids["env"] = await server.NewEnvironment();
            ids["self_hosted_env"] = await server.NewEnvironment("self_hosted");
            ids["archived_env"] = await Archived($"/v1/environments/{await server.NewEnvironment()}");
        }

        if (text.Contains("{vault}"))
        {
            ids["vault"] = await server.NewVault();
            ids["credential"] = await server.NewCredential(ids["vault"], VaultLab.Bearer("https://a.co", "token"));
        }

        if (text.Contains("session}"))
        {
            ids["session"] = (await server.NewSession()).Id;
            ids["thread"] = (await server.Get($"/v1/sessions/{ids["session"]}/threads")).Ok().Text("data.0.id");
            ids["self_hosted_session"] = (await server.NewSession(
                fields: $"\"environment_id\":\"{await server.NewEnvironment("self_hosted")}\"")).Id;
            ids["archived_session"] = await Archived((await server.NewSession()).Path);
        }

        return ids;
    }

    private async Task<string> Archived(string path) => (await server.Post($"{path}/archive")).Ok().Text("id");
}
