using System.Text.Json;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.Crash;

/// <summary>The server dies by <c>kill -9</c> in the middle of a turn, and the session goes on.</summary>
public sealed class CrashTests(CrashLab crashLab) : IClassFixture<CrashLab>
{
    private readonly Lab _lab = crashLab.Lab;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_crash_while_the_model_answers_loses_nothing_and_the_model_is_asked_again()
    {
        var session = await Session(Reply.Hang("I was about to"), Reply.Text("Here it is"));
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
        const string Command =
            "echo begun > started; until [ -e go ]; do sleep 0.01; done; echo x >> effects; cat effects";
        var model = _lab.Model(
            Reply.ToolUse("bash", new { command = Command }),
            Reply.ToolUse("bash", new { command = "cat effects" }),
            Reply.Text("done"));
        var session = await _lab.Session(model, new BetaManagedAgentsAgentToolset20260401Params());
        var before = await Start(session, "span.model_request_end");
        var started = await _lab.Server.SandboxWrote("begun", "started", Cancellation);

        // The second one comes while the first is being recovered from.
        await Crash();
        await Crash();
        await File.WriteAllTextAsync(Path.Combine(Path.GetDirectoryName(started)!, "go"), "", Cancellation);

        var after = await FollowToIdle(session);
        AssertWentOn(before, after);
        var results = after.FindAll(@event => @event.Type() == "agent.tool_result");
        Assert.Equal(["x", "x"], results.ConvertAll(result => result.Text().Trim()));
        Assert.All(results, result => Assert.False(IsError(result), result.GetRawText()));
        Assert.Equal("done", after.The("agent.message").Text());
        Assert.Equal(3, model.Requests.Count);
    }

    [Fact]
    public async Task A_session_that_waits_for_its_client_still_waits_after_a_crash()
    {
        var model = _lab.Model(Reply.ToolUse("bash", new { command = "echo allowed" }), Reply.Text("done"));
        var session = await _lab.Session(model, new BetaManagedAgentsAgentToolset20260401Params
        {
            DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
            {
                PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
            },
        });
        var asked = await session.Turn(Events.Message("go"));

        await Crash();

        Assert.Equal(asked.Ids(), (await session.History()).Ids());
        var allowed = await session.Turn(Events.Allow(asked.The("agent.tool_use").Id()!));
        Assert.Contains("allowed", allowed.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.Equal("done", allowed.The("agent.message").Text());
    }

    [Fact]
    public async Task A_crash_that_takes_the_sandbox_along_leaves_an_error_and_not_a_second_run()
    {
        var model = _lab.Model(
            Reply.ToolUse("bash", new { command = "echo x >> effects; echo begun > taken; sleep 600" }),
            Reply.ToolUse("bash", new { command = "cat effects" }),
            Reply.Text("done"));
        var session = await _lab.Session(model, new BetaManagedAgentsAgentToolset20260401Params());
        var before = await Start(session, "span.model_request_end");
        await _lab.Server.SandboxWrote("begun", "taken", Cancellation);

        await _lab.Server.Kill();
        _lab.Server.EndSandboxes();
        await _lab.Server.Start();

        var after = await FollowToIdle(session);
        AssertWentOn(before, after);
        var results = after.FindAll(@event => @event.Type() == "agent.tool_result");
        Assert.Equal([true, false], results.ConvertAll(IsError));
        var content = results[1].GetProperty("content").EnumerateArray().ToList();
        Assert.Equal("x", content[0].GetProperty("text").GetString()!.Trim());
        Assert.StartsWith(
            "[This is a new life of the sandbox.", content[1].GetProperty("text").GetString(),
            StringComparison.Ordinal);
        Assert.Equal("done", after.The("agent.message").Text());
    }

    [Fact]
    public async Task A_message_that_waited_at_the_crash_has_its_turn_after_it()
    {
        var session = await Session(Reply.Hang("I was about to"), Reply.Text("First"), Reply.Text("Second"));
        await Start(session, "event_delta", BetaManagedAgentsDeltaType.AgentMessage);
        var queued = (await session.Send(Events.Message("and then?"))).Data!.Single();

        await Crash();

        var after = await FollowToIdle(session);
        Assert.Equal(["go", "and then?"], Texts(after, "user.message"));
        Assert.Equal(["First", "Second"], Texts(after, "agent.message"));
        Assert.Equal(queued.ID, after.Last(@event => @event.Type() == "user.message").Id());
    }

    [Fact]
    public async Task A_stop_in_good_order_ends_streams_at_once_and_the_turn_goes_on_after_the_next_start()
    {
        var session = await Session(Reply.Hang("I was about to"), Reply.Text("Here it is"));
        var before = await Start(session, "event_delta", BetaManagedAgentsDeltaType.AgentMessage);
        await using var stream = await session.Open();

        await _lab.Server.Stop();
        await _lab.Server.Start();

        Assert.True(await stream.HasEnded());
        var after = await FollowToIdle(session);
        AssertWentOn(before, after);
        Assert.Equal("Here it is", after.The("agent.message").Text());
    }

    private static List<string> Texts(List<JsonElement> events, string type) =>
        events.FindAll(@event => @event.Type() == type).ConvertAll(Events.Text);

    private static void AssertWentOn(List<JsonElement> before, List<JsonElement> after)
    {
        var seen = before.FindAll(@event => !@event.IsPreview());
        Assert.Equal(seen.Select(Json), after.Take(seen.Count).Select(Json));
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
        await _lab.Server.Kill();
        await _lab.Server.Start();
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

    private Task<LabSession> Session(params Reply[] replies) => _lab.Session(_lab.Model(replies));
}

/// <summary>A lab whose server these tests kill; they run one after the other.</summary>
public sealed class CrashLab : IAsyncLifetime
{
    public Lab Lab { get; } = new();

    public ValueTask InitializeAsync() => Lab.InitializeAsync();

    public ValueTask DisposeAsync() => Lab.DisposeAsync();
}
