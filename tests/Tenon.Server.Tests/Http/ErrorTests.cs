using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using System.Net;
using System.Text;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Http;

public sealed class ErrorTests(TestServer server)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_unknown_path_answers_404_in_the_envelope() =>
        (await server.Get("/v1/nothing")).Refused(404, 
            "GET /v1/nothing is not served by this version of Tenon; docs/compatibility.md lists what is.");

    [Theory]
    [InlineData("/v1/agents/agent_x", "Agent 'agent_x' was not found.", null)]
    [InlineData("/v1/agents/agent_x/versions", "Agent 'agent_x' was not found.", null)]
    [InlineData("/v1/environments/env_x", "Environment 'env_x' was not found.", "environment_not_found")]
    [InlineData("/v1/sessions/sesn_x", "Session 'sesn_x' was not found.", null)]
    [InlineData("/v1/sessions/sesn_x/events", "Session 'sesn_x' was not found.", null)]
    [InlineData("/v1/sessions/sesn_x/events/stream", "Session 'sesn_x' was not found.", null)]
    [InlineData("/v1/sessions/sesn_x/threads", "Session 'sesn_x' was not found.", null)]
    [InlineData("/v1/models/no-such-model", "Model 'no-such-model' was not found.", null)]
    public async Task An_unknown_id_answers_404_and_names_it(string path, string message, string? errorCode) =>
        (await server.Get(path)).Refused(404, message, errorCode);

    [Theory]
    [InlineData("/v1/sessions/sesn_x", """{"title":"t"}""")]
    [InlineData("/v1/sessions/sesn_x/archive", null)]
    [InlineData("/v1/sessions/sesn_x/events", """{"events":[{"type":"user.interrupt"}]}""")]
    public async Task A_change_to_an_unknown_session_answers_404(string path, string? body) =>
        (await server.Post(path, body)).Refused(404, "Session 'sesn_x' was not found.");

    [Fact]
    public async Task An_id_that_is_no_text_to_speak_of_is_not_found() =>
        (await server.Post("/v1/sessions/%20/archive")).Refused(404, "Session ' ' was not found.");

    [Fact]
    public async Task A_known_path_with_another_verb_answers_405() =>
        (await server.Delete("/v1/agents")).Refused(405, "/v1/agents does not take DELETE.");

    [Theory]
    [InlineData("", "")]
    [InlineData("null", "The body must be a JSON object, not null.")]
    [InlineData("{", "")]
    [InlineData("[]", "the value has the wrong type")]
    [InlineData("""{"name":"n"}""", "model: field required")]
    [InlineData("""{"name":null,"model":"m"}""", "name: null is not allowed")]
    [InlineData("""{"name":"n","model":null}""", "model: null is not allowed")]
    [InlineData("""{"name":5,"model":"m"}""", "name: the value has the wrong type")]
    [InlineData("""{"name":"n","model":5}""", "model: expected a string or an object")]
    [InlineData("""{"name":"n","model":{}}""", "model.id: field required")]
    [InlineData("""{"name":"n","model":{"id":"m","effort":{}}}""", "model.effort.type: field required")]
    [InlineData(
        """{"name":"n","model":"m","tools":[{"type":"custom","name":"t"}]}""", "tools.0.description: field required")]
    [InlineData("""{"name":"n","model":"m","tools":[{"name":"t"}]}""", "tools.0.type: field required")]
    [InlineData("""{"name":"n","model":"m","tools":[null]}""", "tools.0: null is not allowed")]
    [InlineData("""{"name":"n","model":"m","mcp_servers":[null]}""", "mcp_servers.0: null is not allowed")]
    [InlineData("""{"name":"n","model":"m","skills":[null]}""", "skills.0: null is not allowed")]
    [InlineData("""{"name":"n","model":"m","x":"\ud800"}""",
        "The string at byte 28 has one half of a surrogate pair.")]
    [InlineData("""{"name":"n","model":"m","\udc00":1}""", "The string at byte 24 has one half of a surrogate pair.")]
    public async Task A_bad_body_answers_400_with_the_path_in_wire_names(string body, string message) =>
        (await server.Post("/v1/agents", body)).Refused(400, message);

    [Theory]
    [InlineData("""{}""", "events: field required")]
    [InlineData("""{"events":null}""", "events: null is not allowed")]
    [InlineData("""{"events":[null]}""", "events.0: null is not allowed")]
    [InlineData("""{"events":["x"]}""", "events.0: expected an object")]
    [InlineData("""{"events":[{"type":7}]}""", "events.0.type: expected a string")]
    [InlineData("""{"events":[{"type":"user.message"}]}""", "events.0.content: field required")]
    [InlineData("""{"events":[{"type":"user.message","content":null}]}""", "events.0.content: null is not allowed")]
    [InlineData("""{"events":[{"type":"user.message","content":[null]}]}""", "events.0.content.0: null is not allowed")]
    [InlineData(
        """{"events":[{"type":"user.interrupt"},{"type":"user.message","content":[{"type":"text","text":1}]}]}""",
        "events.1.content.0.text: the value has the wrong type")]
    public async Task A_bad_event_answers_400_with_its_place_in_the_batch(string body, string message)
    {
        var session = await server.NewSession();

        (await server.Post($"{session.Path}/events", body)).Refused(400, message);

        Assert.Empty(await session.Types());
    }

    [Theory]
    [InlineData(56, 200)]
    [InlineData(57, 400)]
    public async Task A_body_is_taken_only_as_deep_as_it_can_be_answered(int depth, int status)
    {
        var inner = string.Concat(Enumerable.Repeat("[", depth - 3)) + string.Concat(Enumerable.Repeat("]", depth - 3));

        var answer = await server.Post(
            "/v1/agents", $$"""
            {"name":"n","model":"m","tools":[{"type":"agent_toolset_20260401","x":{{inner}}}]}
            """);

        Assert.True(answer.Status == status, $"{answer.Status}: {answer.Json}");
        Assert.Equal(200, (await server.Get("/v1/agents?limit=100")).Status);
        if (status == 200)
        {
            var environment = await server.NewEnvironment();
            var session = (await server.Post(
                "/v1/sessions", new { agent = answer.Json.Text("id"), environment_id = environment })).Ok();
            (await server.Get("/v1/sessions?limit=100")).Ok();
            (await server.Get($"/v1/sessions/{session.Text("id")}/threads")).Ok();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_over_32_MiB_answers_413(bool lengthIsKnown)
    {
        using var client = server.NewClient(("X-Api-Key", TestServer.ApiKey));
        var bytes = new byte[(32 * 1024 * 1024) + 1];
        bytes.AsSpan().Fill((byte)' ');
        using var request = new HttpRequestMessage(
            HttpMethod.Post, "/v1/agents") { Content = new ByteArrayContent(bytes) };
        request.Headers.ExpectContinue = lengthIsKnown;
        request.Headers.TransferEncodingChunked = !lengthIsKnown;

        using var response = await client.SendAsync(request, Cancelled);

        (await Answer.Read(response, Cancelled)).Refused(413, "The body is larger than 33554432 bytes.");
    }

    [Fact]
    public async Task A_crash_answers_500_without_its_details()
    {
        await using var broken = await TestServer.Start(services => services.AddSingleton<CrashingContexts>()
            .AddSingleton<IDbContextFactory<TenonContext>>(
                provider => provider.GetRequiredService<CrashingContexts>()));
        broken.Services.GetRequiredService<CrashingContexts>().IsBroken = true;

        var answer = await broken.Get("/v1/environments/env_x");

        answer.Refused(500, "The server failed on this request. Its log has the cause under this request id.");
        Assert.DoesNotContain(CrashingContexts.Secret, answer.Json.GetRawText(), StringComparison.Ordinal);
    }

    /// <summary>
    /// The database as it is when a table is gone: it opens for the start, and fails at the first request.
    /// </summary>
    private sealed class CrashingContexts(IDatabase database) : IDbContextFactory<TenonContext>
    {
        public const string Secret = "password=hunter2";

        /// <summary>Set once the server has started.</summary>
        public bool IsBroken { get; set; }

        public TenonContext CreateDbContext() => !IsBroken
            ? database.CreateDbContext()
            : throw new InvalidOperationException(Secret);
    }
}
