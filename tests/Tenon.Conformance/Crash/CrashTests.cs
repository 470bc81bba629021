using System.Text.Json;
using Anthropic;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Environments;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.Crash;

/// <summary>The server dies by <c>kill -9</c> in the middle of a turn, and the session goes on.</summary>
public sealed class CrashTests : IAsyncLifetime
{
    private readonly AnthropicService _service = new();
    private ServerProcess _server = null!;
    private AnthropicClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerProcess.Start(_service.Url);
        _client = _server.Client();
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await _service.DisposeAsync();
    }

    [Fact]
    public async Task A_crash_while_the_model_answers_loses_nothing_and_the_model_is_asked_again()
    {
        _service.Enqueue(Reply.Hang("I was about to"), Reply.Text("Here it is"));
        var session = await Session();
        var before = await Start(session, "event_delta", BetaManagedAgentsDeltaType.AgentMessage);

        await Crash();

        var after = await FollowToIdle(session);
        AssertWentOn(before, after);
        Assert.Equal("Here it is", after.The("agent.message").Text());
        Assert.Equal("end_turn", after[^1].StopReason());
        Assert.Equal([true, false], after.FindAll(@event => @event.Type() == "span.model_request_end")
            .ConvertAll(end => end.GetProperty("is_error").GetBoolean()));
    }

    [Fact]
    public async Task A_crash_while_a_command_runs_neither_loses_its_effect_nor_repeats_it()
    {
        const string Command = "echo begun > started; sleep 1; echo x >> effects; cat effects";
        _service.Enqueue(
            Reply.ToolUse("bash", new { command = Command }),
            Reply.ToolUse("bash", new { command = "cat effects" }),
            Reply.Text("done"));
        var session = await Session();
        var before = await Start(session, "span.model_request_end");
        await _server.SandboxWrote("begun", "started", Cancellation);

        await Crash();

        var after = await FollowToIdle(session);
        AssertWentOn(before, after);
        var results = after.FindAll(@event => @event.Type() == "agent.tool_result");
        Assert.Equal(["x", "x"], results.ConvertAll(result => result.Text().Trim()));
        Assert.All(results, result => Assert.False(IsError(result), result.GetRawText()));
        Assert.Equal("done", after.The("agent.message").Text());
        Assert.Equal(3, _service.Requests.Count);
    }

    [Fact]
    public async Task A_session_that_waits_for_its_client_still_waits_after_a_crash()
    {
        _service.Enqueue(Reply.ToolUse("bash", new { command = "echo allowed" }), Reply.Text("done"));
        var session = await Session(new BetaManagedAgentsAgentToolsetDefaultConfigParams
        {
            PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
        });
        var asked = await session.Turn(Events.Message("go"));

        await Crash();

        Assert.Equal(asked.Ids(), (await session.History()).Ids());
        var allowed = await session.Turn(Events.Allow(asked.The("agent.tool_use").Id()!));
        Assert.Contains("allowed", allowed.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.Equal("done", allowed.The("agent.message").Text());
    }

    private static void AssertWentOn(List<JsonElement> before, List<JsonElement> after)
    {
        var seen = before.Where(@event => !@event.Type().StartsWith("event_", StringComparison.Ordinal));
        Assert.Equal(seen.Select(Json), after.Take(seen.Count()).Select(Json));
        Assert.Equal("session.status_idle", after[^1].Type());
        Assert.Single(after, @event => @event.Type() == "user.message");

        static string Json(JsonElement @event) => @event.GetRawText();
    }

    private static bool IsError(JsonElement result) =>
        result.TryGetProperty("is_error", out var isError) && isError.ValueKind == JsonValueKind.True;

    private static async Task<List<JsonElement>> Start(
        LabSession session, string until, params BetaManagedAgentsDeltaType[] deltas)
    {
        await using var stream = await session.Open(deltas);
        await session.Send(Events.Message("go"));
        return await stream.ReadTo(until);
    }

    private async Task Crash()
    {
        await _server.Kill();
        await _server.Start();
    }

    /// <summary>The history, once the session has come to rest: the one that a client has who comes back.</summary>
    private static async Task<List<JsonElement>> FollowToIdle(LabSession session)
    {
        await using var stream = await session.Open();
        var listed = await session.History();
        if (listed[^1].Type() != "session.status_idle")
        {
            await stream.ReadTo("session.status_idle");
        }

        return await session.History();
    }

    private async Task<LabSession> Session(BetaManagedAgentsAgentToolsetDefaultConfigParams? tools = null)
    {
        var environment = await _client.Beta.Environments.Create(
            new EnvironmentCreateParams { Name = "crash" }, Cancellation);
        var agent = await _client.Beta.Agents.Create(new AgentCreateParams
        {
            Name = "crash",
            Model = BetaManagedAgentsModel.ClaudeSonnet5,
            Tools = [new BetaManagedAgentsAgentToolset20260401Params { DefaultConfig = tools }],
        }, Cancellation);
        var session = await _client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = environment.ID, Agent = agent.ID }, Cancellation);
        return new LabSession(_client, session.ID);
    }
}
