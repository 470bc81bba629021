using System.Net.Http.Headers;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Http;

/// <summary>Keys, headers and query parameters: what every route takes (api 0.1 to 0.5).</summary>
public sealed class RequestTests(TestServer server)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Authorization", "Bearer " + TestServer.ApiKey)]
    [InlineData("Authorization", "bearer " + TestServer.ApiKey)]
    [InlineData("X-Api-Key", TestServer.ApiKey)]
    public async Task The_key_is_taken_from_either_header(string name, string value) =>
        (await Ask((name, value))).Ok();

    [Theory]
    [InlineData("Accept", "application/json")]
    [InlineData("Authorization", "Bearer wrong")]
    [InlineData("Authorization", "Basic " + TestServer.ApiKey)]
    [InlineData("Authorization", "Bearer ")]
    [InlineData("X-Api-Key", "wrong")]
    [InlineData("X-Api-Key", TestServer.ApiKey + "x")]
    public async Task A_missing_or_wrong_key_answers_401_and_is_not_repeated(string name, string value)
    {
        var answer = await Ask((name, value));

        answer.Refused(401, "The API key is missing or wrong");
        Assert.DoesNotContain(TestServer.ApiKey, answer.Json.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_key_an_unknown_path_does_not_tell_that_it_is_unknown()
    {
        using var client = server.NewClient();
        using var response = await client.GetAsync("/v1/nothing", Cancelled);

        (await Answer.Read(response, Cancelled)).Refused(401, "The API key is missing or wrong");
    }

    [Fact]
    public async Task Health_needs_no_key()
    {
        using var client = server.NewClient();
        using var response = await client.GetAsync("/health", Cancelled);

        JsonAssert.Equal("""{"status":"ok"}""", (await Answer.Read(response, Cancelled)).Ok());
    }

    [Fact]
    public async Task A_long_request_line_is_answered_in_the_envelope() =>
        (await server.Get("/v1/agents?limit=" + new string('9', 30_000))).Refused(400, "limit");

    [Fact]
    public async Task Every_answer_names_its_request_and_no_two_share_a_name()
    {
        var ids = new[]
        {
            (await server.Get("/v1/agents")).RequestId,
            (await server.Get("/v1/agents")).RequestId,
            (await server.Get("/v1/agents/agent_x")).Refused(404, "Agent").RequestId,
        };

        Assert.All(ids, id => Assert.Matches("^req_[1-9A-Za-z]{22}$", id));
        Assert.Equal(3, ids.Distinct().Count());
    }

    [Theory]
    [InlineData("anthropic-version", "2026-10-21")]
    [InlineData("anthropic-version", "2023-06-01")]
    [InlineData("anthropic-beta", "managed-agents-2026-04-01")]
    [InlineData("anthropic-beta", "my-own-2030-01-01,managed-agents-2026-04-01")]
    [InlineData("anthropic-workspace-id", "wrkspc_1")]
    [InlineData("Accept", "application/binary")]
    public async Task Versions_betas_and_other_headers_of_the_sdks_are_taken(string name, string value) =>
        (await Ask(("X-Api-Key", TestServer.ApiKey), (name, value))).Ok();

    [Theory]
    [InlineData("types%5B%5D=user.message&types%5B%5D=session.status_idle")]
    [InlineData("types[]=user.message&types[]=session.status_idle")]
    [InlineData("types=user.message&types=session.status_idle")]
    public async Task Arrays_are_taken_encoded_plain_and_repeated(string query)
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        await session.Run(TestSession.Says("go"));

        Assert.Equal(["user.message", "session.status_idle"], (await session.List("?" + query)).Texts("type"));
    }

    [Theory]
    [InlineData("/v1/agents?limit=0", "limit: '0' is not a number from 1 to 100.")]
    [InlineData("/v1/agents?limit=101", "limit: '101' is not a number from 1 to 100.")]
    [InlineData("/v1/agents?limit=many", "limit: 'many' is not a number from 1 to 100.")]
    [InlineData("/v1/agents?include_archived=1", "include_archived: '1' is neither true nor false.")]
    [InlineData("/v1/agents?created_at%5Bgte%5D=soon", "created_at[gte]: 'soon' is not an RFC 3339 timestamp.")]
    [InlineData("/v1/sessions?order=up", "order: 'up' is neither asc nor desc.")]
    [InlineData("/v1/sessions?statuses%5B%5D=asleep", "statuses: 'asleep' is not one of ")]
    [InlineData("/v1/sessions?agent_version=1", "agent_version: needs agent_id.")]
    [InlineData("/v1/agents?page=nonsense", "page: this cursor does not belong to this list.")]
    [InlineData("/v1/agents?page=page_!!!", "page: this cursor does not belong to this list.")]
    [InlineData("/v1/agents?page=page_YQ", "page: this cursor does not belong to this list.")]
    public async Task A_bad_parameter_answers_400_and_names_it(string path, string message) =>
        (await server.Get(path)).Refused(400, message);

    [Fact]
    public async Task A_cursor_fits_only_its_own_list_and_order()
    {
        await server.NewSession();
        await server.NewSession();
        var cursor = (await server.Get("/v1/sessions?limit=1")).Ok().Text("next_page");

        Assert.StartsWith("page_", cursor, StringComparison.Ordinal);
        (await server.Get($"/v1/sessions?page={cursor}&limit=2")).Ok();
        (await server.Get($"/v1/agents?page={cursor}")).Refused(400, "page: this cursor does not belong to this list.");
        (await server.Get($"/v1/sessions?page={cursor}&order=asc")).Refused(
            400, "page: this cursor was made with another order.");
    }

    [Fact]
    public async Task A_cursor_that_was_tampered_with_answers_400()
    {
        var session = await server.NewSession();
        var forged = "page_" + System.Buffers.Text.Base64Url.EncodeToString(
            System.Text.Encoding.UTF8.GetBytes($"events:{session.Id}|af|first"));

        (await server.Get($"{session.Path}/events?page={forged}")).Refused(
            400, "page: this cursor does not belong to this list.");
    }

    private async Task<Answer> Ask(params (string Name, string Value)[] headers)
    {
        using var client = server.NewClient(headers);
        using var response = await client.GetAsync("/v1/models", Cancelled);
        return await Answer.Read(response, Cancelled);
    }
}
