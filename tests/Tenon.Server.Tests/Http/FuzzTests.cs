using CsCheck;
using System.Text;
using System.Text.Json;
using Tenon.Server.Tests.Memory;
using Tenon.Server.Tests.Support;
using Tenon.Server.Tests.Vaults;
using Xunit;

namespace Tenon.Server.Tests.Http;

/// <summary>
/// Whatever a client sends, it is answered in time, never with 5xx, and every refusal is the documented envelope.
/// A failure prints a seed; put into <c>SampleAsync(…, seed: …)</c> it makes the same requests again.
/// </summary>
public sealed class FuzzTests(TestServer server)
{
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(60);

    private static readonly string[] Environments =
    [
        """
        {"name":"e","description":"d","metadata":{"a":"1"},"config":{"type":"cloud",
         "networking":{"type":"limited","allowed_hosts":["example.com"],"allow_package_managers":true},
         "packages":{"type":"packages","pip":["numpy"]}}}
        """,
        """{"name":"e","scope":"account","config":{"type":"self_hosted"}}""",
    ];

    private static readonly string[] Agents =
    [
        """
        {"name":"n","model":{"id":"m","effort":{"type":"low"},"speed":"fast","inference_geo":"us"},"description":"d",
         "system":"s","metadata":{"a":"1"},"multiagent":{"type":"coordinator","agents":[{"type":"self"}]},
         "execution_identity":{"type":"aws_role","role_arn":"arn"},"skills":[{"type":"anthropic","skill_id":"pdf"},
          {"type":"anthropic","skill_id":"xlsx","version":"20250101"}]}
        """,
        """
        {"name":"n","model":"m","mcp_servers":[{"type":"url","name":"g","url":"https://example.com/mcp"}],"tools":[
         {"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}},"configs":[
          {"name":"bash","enabled":false},{"name":"web_search","blocked_domains":["example.com/a"],
           "user_location":{"type":"approximate","country":"NO","timezone":"Europe/Oslo"}},
          {"name":"web_fetch","allowed_domains":["example.com"],"max_content_tokens":9,
           "url_sources":{"user_input":"all","client_tool_results":{"type":"only",
            "tools":[{"type":"tool_reference","name":"t"}]}}}]},
         {"type":"mcp_toolset","mcp_server_name":"g","configs":[{"name":"s","enabled":true}]},
         {"type":"custom","name":"t","description":"d","input_schema":{"type":"object","properties":
          {"a":{"type":"array","items":{"anyOf":[{"type":"string"}]}}},"required":["a"]}}]}
        """,
    ];

    private static readonly string[] Events =
    [
        """
        {"events":[{"type":"user.message","content":[{"type":"text","text":"a"},
          {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
          {"type":"document","title":"t","source":{"type":"text","media_type":"text/plain","data":"d"}}]},
         {"type":"user.interrupt"}]}
        """,
        """{"events":[{"type":"user.tool_confirmation","tool_use_id":"sevt_1","result":"deny","deny_message":"n"}]}""",
        """
        {"events":[{"type":"user.message","content":[{"type":"text","text":"a"}]},
         {"type":"system.message","content":[{"type":"text","text":"b"}]}]}
        """,
        """
        {"events":[{"type":"user.custom_tool_result","custom_tool_use_id":"sevt_1","is_error":true,
          "content":[{"type":"search_result","title":"t","source":"s","citations":{"enabled":true},
           "content":[{"type":"text","text":"x"}]}]},
         {"type":"user.define_outcome","description":"d","rubric":{"type":"text","content":"c"},"max_iterations":2}]}
        """,
    ];

    private static readonly string[] Queries =
    [
        "limit", "page", "order", "created_at[gte]", "created_at[gt]", "created_at[lte]", "created_at[lt]", "version",
        "statuses[]", "statuses", "types[]", "types", "event_deltas[]", "include_archived", "agent_id",
        "agent_version", "unknown", "", "source", "ids[]", "scope_id", "after_id", "before_id", "memory_store_id",
        "depth", "view", "path_prefix", "memory_id", "operation", "session_id", "api_key_id", "q",
    ];

    /// <summary>Four of the longest make a request line of 12 KB, and the server reads 32.</summary>
    private static readonly string[] QueryValues =
    [
        "", "0", "1", "-1", "20", "101", "99999999999999999999", "1e3", "%201", "%2B1", "%D9%A1", "asc", "desc", "true",
        "idle", "running", "agent.message", "%00", "%FF", "%ED%A0%80", "%", "%zz", "2026-01-01T00:00:00Z",
        "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "page_", "page_YQ", "page_YWdlbnRzfGRmfHg",
        "page_c2Vzc2lvbnN8ZGZ8", "page_c2Vzc2lvbnN8ZGJ8AA", "page_%20YQ%3D%3D", "page_ZW52aXJvbm1lbnRzfGRmfP8",
        "page_8J-YgA", "%F0%9F%98%80", "a%26b", "1%0A", "a;b", "agent_x", new('9', 3_000),
    ];

    private static readonly string[] Ids =
    [
        "x", "agent_x", "sesn_x", "%20", "%09", "%0A", "%2F", "..%2F..", "%252F", "%FF", "%C0%80", "%ED%A0%80", "%7F",
        "%F0%9F%98%80", "a%3Fb", "a%23b", "a;b", "'", "%22", "a+b", "*", "(", "%5C", ".", "..", "%7B0%7D", "null",
        new('a', 300), new('a', 3_000), "a%0D%0Ab", "%E2%80%AE", "sesn_x/events", "",
    ];

    private static readonly string[] Reads =
    [
        "/v1/agents", "/v1/agents/{agent}", "/v1/agents/{agent}/versions", "/v1/environments", "/v1/models",
        "/v1/environments/{env}", "/v1/models/{any}", "/v1/sessions", "/v1/sessions/{sesn}",
        "/v1/sessions/{sesn}/events", "/v1/sessions/{sesn}/events/stream", "/v1/sessions/{sesn}/threads",
        "/v1/sessions/{sesn}/threads/{thread}", "/v1/sessions/{sesn}/threads/{thread}/events",
        "/v1/sessions/{sesn}/threads/{thread}/stream", "/v1/files", "/v1/files/{any}", "/v1/files/{any}/content",
        "/v1/sessions/{sesn}/resources", "/v1/sessions/{sesn}/resources/{any}",
        "/v1/vaults", "/v1/vaults/{any}", "/v1/vaults/{any}/credentials", "/v1/vaults/{any}/credentials/{any}",
        "/v1/skills", "/v1/skills/{any}",
        "/v1/skills/{any}/versions", "/v1/skills/{any}/versions/{any}", "/v1/skills/{any}/versions/{any}/content",
        "/v1/skills/pdf/versions", "/v1/skills/pdf/versions/{any}",
        "/v1/memory_stores", "/v1/memory_stores/{store}", "/v1/memory_stores/{store}/memories",
        "/v1/memory_stores/{store}/memories/{any}", "/v1/memory_stores/{store}/memory_versions",
        "/v1/memory_stores/{store}/memory_versions/{any}", "/v1/memory_stores/{store}/search",
    ];

    private static readonly string[] Writes =
    [
        "/v1/agents/{any}", "/v1/agents/{any}/archive", "/v1/environments/{any}", "/v1/environments/{any}/archive",
        "/v1/sessions/{any}", "/v1/sessions/{any}/archive", "/v1/sessions/{any}/events", "/v1/files",
        "/v1/sessions/{any}/resources", "/v1/sessions/{any}/resources/{any}",
        "/v1/vaults/{any}", "/v1/vaults/{any}/archive", "/v1/vaults/{any}/credentials",
        "/v1/vaults/{any}/credentials/{any}", "/v1/vaults/{any}/credentials/{any}/archive",
        "/v1/vaults/{any}/credentials/{any}/mcp_oauth_validate",
        "/v1/skills", "/v1/skills/{any}/versions",
        "/v1/memory_stores/{any}", "/v1/memory_stores/{any}/archive", "/v1/memory_stores/{any}/memories",
        "/v1/memory_stores/{any}/memories/{any}", "/v1/memory_stores/{any}/memory_versions/{any}/redact",
    ];

    private static readonly string[] Removals =
    [
        "/v1/memory_stores/{any}", "/v1/memory_stores/{any}/memories/{any}",
        "/v1/environments/{any}", "/v1/sessions/{any}", "/v1/files/{any}", "/v1/sessions/{any}/resources/{any}",
        "/v1/vaults/{any}", "/v1/vaults/{any}/credentials/{any}",
        "/v1/skills/{any}", "/v1/skills/{any}/versions/{any}", "/v1/skills/pdf/versions/{any}",
    ];

    [Fact]
    public async Task Any_body_for_an_agent_is_taken_or_refused_and_what_is_taken_can_be_read_again()
    {
        var path = $"/v1/agents/{await server.NewAgent()}";
        await Sample(FuzzedJson.From(Agents), 250, async body =>
        {
            await TakesOrRefuses("/v1/agents", body);
            await TakesOrRefuses(path, body);
            Succeeds(await Ask(HttpMethod.Get, path, null));
        });
        Succeeds(await Ask(HttpMethod.Get, "/v1/agents?limit=100", null));
        Succeeds(await Ask(HttpMethod.Get, $"{path}/versions?limit=100", null));
    }

    [Fact]
    public async Task Any_body_for_an_environment_is_taken_or_refused_and_what_is_taken_can_be_read_again()
    {
        var path = $"/v1/environments/{await server.NewEnvironment()}";
        await Sample(FuzzedJson.From(Environments), 200, async body =>
        {
            await TakesOrRefuses("/v1/environments", body);
            await TakesOrRefuses(path, body);
            Succeeds(await Ask(HttpMethod.Get, path, null));
        });
        Succeeds(await Ask(HttpMethod.Get, "/v1/environments?limit=100", null));
    }

    [Fact]
    public async Task Any_body_for_a_session_is_taken_or_refused_and_what_is_taken_can_be_read_again()
    {
        var (agent, env) = (await server.NewAgent(), await server.NewEnvironment());
        var create = FuzzedJson.From(
            $$"""
            {"agent":"{{agent}}","environment_id":"{{env}}","title":"t","metadata":{"a":"1"},"vault_ids":[],
             "resources":[],"initial_events":[]}
            """,
            $$"""
            {"agent":{"type":"agent_with_overrides","id":"{{agent}}","version":1,"model":"m","system":"s","tools":[
              {"type":"custom","name":"t","description":"d","input_schema":{"type":"object","properties":{} } }]},
             "environment_id":"{{env}}"}
            """);
        var update = FuzzedJson.From(
            """
            {"title":"t","metadata":{"a":"1","b":null},"agent":{"mcp_servers":[],"tools":[
              {"type":"custom","name":"t","description":"d","input_schema":{"type":"object","properties":{}}}]}}
            """,
            """
            {"agent":{"mcp_servers":[{"type":"url","name":"g","url":"https://example.com/mcp"}],"tools":[
              {"type":"mcp_toolset","mcp_server_name":"g","default_config":{"enabled":false},
               "configs":[{"name":"s","permission_policy":{"type":"auto"} }]}]} }
            """,
            """{"budget":null,"vault_ids":null,"title":null}""");
        var session = await server.NewSession();
        await Sample(Gen.Select(create, update), 150, async bodies =>
        {
            await TakesOrRefuses("/v1/sessions", bodies.Item1);
            await TakesOrRefuses(session.Path, bodies.Item2);
            Succeeds(await Ask(HttpMethod.Get, session.Path, null));
        });
        Succeeds(await Ask(HttpMethod.Get, "/v1/sessions?limit=100", null));
        Succeeds(await Ask(HttpMethod.Get, $"{session.Path}/events", null));
    }

    [Fact]
    public async Task Any_body_for_a_credential_is_taken_or_refused_and_none_is_told_back()
    {
        var vault = await server.NewVault();
        var path = $"/v1/vaults/{vault}/credentials";
        var first = await server.NewCredential(vault, VaultLab.Variable("FIRST", "secret-1"));
        var bodies = FuzzedJson.From(
            """
            {"display_name":"d","metadata":{"a":"1"},"auth":{"type":"mcp_oauth","mcp_server_url":"https://a.co/m",
             "access_token":"SECRET","expires_at":"2099-01-01T00:00:00Z","refresh":{"client_id":"c",
             "refresh_token":"SECRET","token_endpoint":"https://a.co/t","scope":"s","resource":"r",
             "token_endpoint_auth":{"type":"client_secret_basic","client_secret":"SECRET"}}}}
            """,
            """{"auth":{"type":"static_bearer","mcp_server_url":"https://a.co/m","token":"SECRET"}}""",
            """
            {"auth":{"type":"environment_variable","secret_name":"A","secret_value":"SECRET SECRET",
             "networking":{"type":"limited","allowed_hosts":["a.co","*.b.co"]},
             "injection_location":{"header":true,"body":false}}}
            """,
            """{"auth":{"type":"environment_variable","injection_location":{"body":false}},"metadata":{"a":null}}""");
        await Sample(bodies, 250, async body =>
        {
            foreach (var (method, to) in (List<(HttpMethod, string)>)[
                (HttpMethod.Post, path), (HttpMethod.Post, $"{path}/{first}"), (HttpMethod.Get, $"{path}/{first}"),
                (HttpMethod.Get, path)])
            {
                var answer = await Ask(method, to, method == HttpMethod.Post ? body : null);
                Documented(answer);
                Assert.DoesNotContain("SECRET", answer.Text, StringComparison.Ordinal);
            }
        });
        Succeeds(await Ask(HttpMethod.Get, $"{path}/{first}", null));
    }

    [Fact]
    public async Task Any_body_for_a_memory_is_taken_or_refused_and_what_is_taken_can_be_read_again()
    {
        var store = $"/v1/memory_stores/{await server.NewStore()}";
        var memory = $"{store}/memories/{await server.NewMemory(store.Split('/')[^1], "/fixed")}";
        var stores = FuzzedJson.From("""{"name":"n","description":"d","metadata":{"a":"1"}}""");
        var memories = FuzzedJson.From("""{"path":"/a/b.md","content":"text"}""", """{"path":"/é","content":""}""");
        var updates = FuzzedJson.From(
            """{"path":"/c","content":"t","precondition":{"type":"content_sha256","content_sha256":"00"}}""",
            """{"content":"é"}""");
        await Sample(Gen.Select(stores, memories, updates), 100, async bodies =>
        {
            await TakesOrRefuses("/v1/memory_stores", bodies.Item1);
            await TakesOrRefuses(store, bodies.Item1);
            await TakesOrRefuses($"{store}/memories", bodies.Item2);
            await TakesOrRefuses(memory, bodies.Item3);
            Succeeds(await Ask(HttpMethod.Get, store, null));
            Succeeds(await Ask(HttpMethod.Get, memory, null));
        });
        Succeeds(await Ask(HttpMethod.Get, "/v1/memory_stores?limit=100", null));
        Succeeds(await Ask(HttpMethod.Get, $"{store}/memories?view=full", null));
        Succeeds(await Ask(HttpMethod.Get, $"{store}/memory_versions?view=full", null));
    }

    [Fact]
    public async Task A_batch_of_events_is_taken_or_refused_and_one_that_is_refused_leaves_the_log_as_it_was()
    {
        var session = await server.NewSession();
        await Sample(FuzzedJson.From(Events), 250, async body =>
        {
            var status = await TakesOrRefuses($"{session.Path}/events", body);
            var log = await Ask(HttpMethod.Get, $"{session.Path}/events", null);
            Succeeds(log);
            if (status == 200)
            {
                session = await server.NewSession();
            }
            else
            {
                Assert.Equal(0, JsonElement.Parse(log.Text).At("data").GetArrayLength());
            }
        });
    }

    [Fact]
    public async Task Any_query_of_any_list_is_answered()
    {
        var session = await server.NewSession();
        var thread = (await server.Get($"{session.Path}/threads")).Ok().Text("data.0.id");
        var store = await server.NewStore();
        await server.NewMemory(store, "/a/b");
        var parameter = Gen.Select(Gen.OneOf(Queries), Gen.OneOf(QueryValues), (name, value) =>
            $"{name.Replace("[", "%5B").Replace("]", "%5D")}={value}");
        await Sample(Gen.Select(Gen.OneOf(Reads), parameter.Array[0, 4]), 500, async request =>
        {
            var path = request.Item1.Replace("{agent}", session.AgentId).Replace("{sesn}", session.Id)
                .Replace("{env}", session.Created.Text("environment_id")).Replace("{thread}", thread)
                .Replace("{store}", store);
            Documented(await Ask(HttpMethod.Get, $"{path}?{string.Join('&', request.Item2)}", null));
        });
    }

    [Fact]
    public async Task Any_id_in_a_path_is_answered()
    {
        var id = Gen.OneOf(Ids);
        var read = Gen.Select(Gen.OneOf(Reads), id, (path, id) => (HttpMethod.Get, Fill(path, id)));
        var write = Gen.Select(Gen.OneOf(Writes), id, (path, id) => (HttpMethod.Post, Fill(path, id)));
        var remove = Gen.Select(Gen.OneOf(Removals), id, (path, id) =>
            (HttpMethod.Delete, Fill(path, id)));
        var requests = Gen.OneOf<(HttpMethod Method, string Path)>(read, write, remove);
        await Sample(requests, 500, async request =>
        {
            var interrupt = """{"events":[{"type":"user.interrupt"}]}"""u8.ToArray();
            Documented(await Ask(
                request.Method, request.Path, request.Method == HttpMethod.Post ? interrupt : null));
        });

        static string Fill(string path, string id) => path.Replace("{agent}", id).Replace("{sesn}", id)
            .Replace("{env}", id).Replace("{thread}", id).Replace("{store}", id).Replace("{any}", id);
    }

    private async Task<int> TakesOrRefuses(string path, byte[] body)
    {
        var answer = await Ask(HttpMethod.Post, path, body);
        Documented(answer);
        return answer.Status;
    }

    /// <summary>
    /// Sends the request as it is spelled, and reads the answer; of a stream that opened only the head.
    /// </summary>
    private async Task<(int Status, string Text, string? RequestId)> Ask(HttpMethod method, string path, byte[]? body)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        late.CancelAfter(AnswerTime);
        using var request = new HttpRequestMessage(method, new Uri(
            server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority) + path,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        request.Content = body is null ? null : new ByteArrayContent(body);
        using var response = await server.Client.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, late.Token);
        var opened = response.Content.Headers.ContentType?.MediaType == "text/event-stream";
        return ((int)response.StatusCode,
            opened ? "" : await response.Content.ReadAsStringAsync(late.Token),
            response.Headers.TryGetValues("request-id", out var ids) ? ids.Single() : null);
    }

    private static void Documented((int Status, string Text, string? RequestId) answer)
    {
        Assert.True(answer.Status < 500, $"{answer.Status}: {answer.Text}");
        Assert.NotNull(answer.RequestId);
        if (answer.Status < 400)
        {
            return;
        }

        var json = JsonElement.Parse(answer.Text);
        Assert.Equal("error", json.Text("type"));
        Assert.NotEmpty(json.Text("error.type"));
        Assert.NotEmpty(json.Text("error.message"));
        Assert.Equal(answer.RequestId, json.Text("request_id"));
    }

    private static void Succeeds((int Status, string Text, string? RequestId) answer) =>
        Assert.True(answer.Status == 200, $"{answer.Status}: {answer.Text}");

    private static Task Sample<T>(Gen<T> gen, int iterations, Func<T, Task> check) =>
        gen.SampleAsync(check, iter: iterations, threads: 1, print: Print);

    private static string Print<T>(T value) => value switch
    {
        byte[] body => Text(body),
        ValueTuple<byte[], byte[]> bodies => $"{Text(bodies.Item1)}\n{Text(bodies.Item2)}",
        ValueTuple<byte[], byte[], byte[]> bodies =>
            $"{Text(bodies.Item1)}\n{Text(bodies.Item2)}\n{Text(bodies.Item3)}",
        ValueTuple<string, string[]> request => $"{request.Item1}?{string.Join('&', request.Item2)}",
        _ => $"{value}",
    };

    private static string Text(byte[] body) => Encoding.Latin1.GetString(body.AsSpan(0, Math.Min(body.Length, 2_000)));
}
