using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.Http;

/// <summary>What clients may send that the pinned SDKs do not: older headers, other spellings, mistakes.</summary>
public sealed class ProtocolTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Authorization", "Bearer " + ServerProcess.ApiKey)]
    [InlineData("Authorization", "bearer " + ServerProcess.ApiKey)]
    [InlineData("X-Api-Key", ServerProcess.ApiKey)]
    public async Task Either_authentication_header_is_accepted(string name, string value)
    {
        using var answer = await Get("/v1/agents", (name, value));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("Authorization", "Bearer wrong")]
    [InlineData("Authorization", ServerProcess.ApiKey)]
    [InlineData("X-Api-Key", "")]
    [InlineData("X-Other", "no key at all")]
    public async Task Without_the_key_nothing_is_answered_but_an_authentication_error(string name, string value)
    {
        using var answer = await Get("/v1/agents", (name, value));

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal("authentication_error", await ErrorType(answer));
    }

    [Theory]
    [InlineData("2026-10-21", "managed-agents-2026-04-01")]
    [InlineData("2023-06-01", "managed-agents-2026-04-01")]
    [InlineData("2026-10-21", "managed-agents-2026-04-01,made-up-2030-01-01")]
    [InlineData("2026-10-21", "made-up-2030-01-01, managed-agents-2026-04-01")]
    [InlineData("2023-06-01", null)]
    public async Task Both_versions_and_unknown_betas_are_accepted(string version, string? betas)
    {
        using var answer = await Get(
            "/v1/agents", Key, ("anthropic-version", version), ("anthropic-beta", betas ?? "files-api-2025-04-14"));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("statuses%5B%5D=running&statuses%5B%5D=terminated", 0)]
    [InlineData("statuses[]=idle&statuses[]=running", 1)]
    [InlineData("statuses=idle&statuses=running", 1)]
    public async Task Arrays_may_have_brackets_encoded_or_not_or_none(string query, int found)
    {
        var agent = await lab.Agent(lab.Model());
        using var http = lab.Server.Http();
        using var created = await http.PostAsJsonAsync(
            "/v1/sessions", new { agent = agent.ID, environment_id = lab.EnvironmentId }, Cancellation);
        created.EnsureSuccessStatusCode();

        var page = await http.GetFromJsonAsync<JsonElement>($"/v1/sessions?agent_id={agent.ID}&{query}", Cancellation);

        Assert.Equal(found, page.GetProperty("data").GetArrayLength());
    }

    [Theory]
    [InlineData("/v1/sessions?statuses[]=asleep", "statuses")]
    [InlineData("/v1/sessions?limit=0", "limit")]
    [InlineData("/v1/sessions?limit=many", "limit")]
    [InlineData("/v1/sessions?order=sideways", "order")]
    [InlineData("/v1/sessions?page=page_nonsense", "page")]
    [InlineData("/v1/sessions?created_at[gte]=yesterday", "created_at[gte]")]
    [InlineData("/v1/sessions?agent_version=1", "agent_version")]
    public async Task A_bad_query_is_refused_with_its_name(string path, string name)
    {
        using var answer = await Get(path, Key);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var message = (await Error(answer)).GetProperty("message").GetString();
        Assert.StartsWith(name + ": ", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "")]
    [InlineData("[]", "")]
    [InlineData("""{"model":"claude-sonnet-5"}""", "name")]
    [InlineData("""{"name":"n"}""", "model")]
    [InlineData("""{"name":7,"model":"claude-sonnet-5"}""", "name")]
    [InlineData("""{"name":"n","model":"claude-sonnet-5","tools":[{"type":"unheard_of"}]}""", "tools.0.type")]
    [InlineData("""{"name":"n","model":"claude-sonnet-5","tools":"bash"}""", "tools")]
    public async Task A_bad_body_is_refused_with_the_place(string body, string place)
    {
        using var http = lab.Server.Http();
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync("/v1/agents", content, Cancellation);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = await Error(answer);
        Assert.Equal("invalid_request_error", error.Type());
        Assert.StartsWith(place, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_answer_carries_a_request_id()
    {
        using var good = await Get("/v1/agents", Key);
        using var bad = await Get("/v1/agents/agent_unknown", Key);
        using var nowhere = await Get("/v1/nowhere", Key);
        using var refused = await Get("/v1/agents");

        HttpResponseMessage[] answers = [good, bad, nowhere, refused];
        var ids = answers.Select(answer => answer.Headers.GetValues("request-id").Single()).ToList();
        Assert.Equal([200, 404, 404, 401], answers.Select(answer => (int)answer.StatusCode));
        Assert.All(ids, id => Assert.StartsWith("req_", id, StringComparison.Ordinal));
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [Fact]
    public async Task An_action_without_a_body_needs_no_content_type()
    {
        var agent = await lab.Agent(lab.Model());
        using var http = lab.Server.Http();

        using var archived = await http.PostAsync($"/v1/agents/{agent.ID}/archive", null, Cancellation);

        Assert.Equal(HttpStatusCode.OK, archived.StatusCode);
    }

    [Fact]
    public async Task A_stream_answers_at_once_and_names_each_frame_after_its_event()
    {
        var session = await lab.Session(lab.Model(Reply.Text("hello")));
        using var http = lab.Server.Http();

        await using var stream = await RawStream.Open(http, $"/v1/sessions/{session.Id}/events/stream");
        await session.Send(Events.Message("hi"));
        var frames = await stream.ReadTo("session.status_idle");

        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType?.MediaType);
        Assert.True(stream.Response.Headers.CacheControl?.NoCache);
        Assert.Equal(frames.Select(frame => frame.Data.Type()), frames.Select(frame => frame.Name));
        Assert.Equal(frames.Count, frames.Select(frame => frame.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused()
    {
        const int BytesMax = 32 * 1024 * 1024;
        using var http = lab.Server.Http();
        using var content = new ByteArrayContent(new byte[BytesMax + 1]);
        content.Headers.ContentType = new("application/json");

        // The server answers by the announced length and closes; without this the client may still be writing then.
        http.DefaultRequestHeaders.ExpectContinue = true;
        using var answer = await http.PostAsync("/v1/agents", content, Cancellation);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Equal("request_too_large", await ErrorType(answer));
    }

    [Fact]
    public async Task A_path_with_another_verb_is_refused_in_the_envelope()
    {
        using var http = lab.Server.Http();

        using var answer = await http.PutAsync("/v1/agents", null, Cancellation);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal("invalid_request_error", await ErrorType(answer));
    }

    [Fact]
    public async Task A_last_event_id_that_no_stream_gave_is_refused()
    {
        var session = await lab.Session(lab.Model());

        using var answer = await Get(
            $"/v1/sessions/{session.Id}/events/stream", Key, ("Last-Event-ID", "sevt_not_a_frame"));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Previews_of_an_unknown_kind_are_refused()
    {
        var session = await lab.Session(lab.Model());

        using var answer = await Get($"/v1/sessions/{session.Id}/events/stream?event_deltas[]=agent.tool_use", Key);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private static (string Name, string Value) Key => ("X-Api-Key", ServerProcess.ApiKey);

    private async Task<HttpResponseMessage> Get(string path, params (string Name, string Value)[] headers)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, lab.Server.Url + path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await http.SendAsync(request, Cancellation);
    }

    private static async Task<JsonElement> Error(HttpResponseMessage answer)
    {
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
        Assert.Equal("error", body.Type());
        return body.GetProperty("error");
    }

    private static async Task<string> ErrorType(HttpResponseMessage answer) => (await Error(answer)).Type();
}
