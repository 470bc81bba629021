using System.Text.Json;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Anthropic.Models.Beta.Sessions.Threads;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;
using ThreadEventList = Anthropic.Models.Beta.Sessions.Threads.Events.EventListParams;
using ThreadEventStream = Anthropic.Models.Beta.Sessions.Threads.Events.EventStreamParams;

namespace Tenon.Conformance.CSharp;

/// <summary>Agents that work together in threads of one session, through the SDK (api A.6, B.4, C.9).</summary>
public sealed class MultiagentTests(Lab lab)
{
    private static readonly BetaManagedAgentsAgentToolset20260401Params Asking = new()
    {
        DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
        {
            PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
        },
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_agents_work_at_once_and_one_is_stopped_while_the_other_waits_to_be_allowed()
    {
        var (session, stream, begun) = await Begin();
        await using var open = stream;
        var (carefulId, slowId) = (Created(begun, "careful"), Created(begun, "slow"));
        var call = begun.The("agent.tool_use");

        var running = await lab.Client.Beta.Sessions.Threads.List(
            session.Id,
            new ThreadListParams { Statuses = [BetaManagedAgentsSessionThreadStatus.Running] },
            Cancellation);
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Sessions.Threads.Archive(
            slowId, new ThreadArchiveParams { SessionID = session.Id }, Cancellation));
        await session.Send(new BetaManagedAgentsUserInterruptEventParams { SessionThreadID = slowId });
        var stopped = await stream.ReadTo("session.status_idle");

        Assert.Contains(slowId, running.Items.Select(thread => thread.ID));
        Assert.Equal(["Check it.", "Take your time."], begun.Where(IsSent).Select(sent => sent.Text()));
        Assert.Equal([carefulId, slowId], begun.Where(IsSent).Select(sent => sent.Name("to_session_thread_id")));
        Assert.Equal(carefulId, call.Name("session_thread_id"));
        Assert.Equal("ask", call.Name("evaluated_permission"));
        Assert.All(stopped.Where(@event => @event.Type() == "user.interrupt"), interrupt =>
            Assert.Equal(slowId, interrupt.Name("session_thread_id")));
        Assert.Equal("end_turn", stopped.Single(@event => @event.Type() == "session.thread_status_idle"
            && @event.Name("agent_name") == "slow").StopReason());
        Assert.Equal("requires_action", stopped[^1].StopReason());
        Assert.Equal([call.Id()], stopped[^1].GetProperty("stop_reason").GetProperty("event_ids").EnumerateArray()
            .Select(id => id.GetString()));
        await session.Typed();
    }

    [Fact]
    public async Task An_agent_that_was_allowed_ends_its_work_on_its_own_stream_and_its_coordinator_is_told()
    {
        var (session, stream, begun) = await Begin();
        await using var open = stream;
        var carefulId = Created(begun, "careful");
        await session.Send(new BetaManagedAgentsUserInterruptEventParams { SessionThreadID = Created(begun, "slow") });
        await stream.ReadTo("session.status_idle");
        using var child = await lab.Client.Beta.Sessions.Threads.Events.WithRawResponse.StreamStreaming(
            carefulId,
            new ThreadEventStream { SessionID = session.Id, EventDeltas = [BetaManagedAgentsDeltaType.AgentMessage] },
            Cancellation);

        await session.Send(Events.Allow(begun.The("agent.tool_use").Id()!));
        var own = new List<JsonElement>();
        await foreach (var @event in child.Enumerate(Cancellation))
        {
            @event.Validate();
            own.Add(@event.Json);
            if (own[^1].Type() == "session.thread_status_idle" && own[^1].StopReason() == "end_turn")
            {
                break;
            }
        }

        var rest = await stream.ReadTo("session.status_idle");

        Assert.Contains("checked", own.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.Contains("event_delta", own.Types());
        Assert.Equal("It is checked.", own.The("agent.message").Text());
        Assert.Equal("It is checked.", own.The("agent.thread_message_sent").Text());
        Assert.Equal(carefulId, rest.First(@event => @event.Type() == "user.tool_confirmation")
            .Name("session_thread_id"));
        var told = rest.The("agent.thread_message_received");
        Assert.Equal((carefulId, "careful", "It is checked."),
            (told.Name("from_session_thread_id"), told.Name("from_agent_name"), told.Text()));
        Assert.DoesNotContain("agent.tool_result", rest.Types());
        Assert.Equal("end_turn", rest[^1].StopReason());
        await session.Typed();
    }

    [Fact]
    public async Task Threads_are_listed_read_and_archived_with_their_agents_usage_and_events()
    {
        var (session, stream, begun) = await Begin();
        await using var open = stream;
        await session.Send(new BetaManagedAgentsUserInterruptEventParams { SessionThreadID = Created(begun, "slow") });
        await stream.ReadTo("session.status_idle");
        await session.Send(Events.Allow(begun.The("agent.tool_use").Id()!));
        await stream.ReadTo("session.status_idle");
        var service = lab.Client.Beta.Sessions.Threads;
        var carefulId = Created(begun, "careful");

        var threads = (await service.List(session.Id, cancellationToken: Cancellation)).Items;
        var careful = await service.Retrieve(
            carefulId, new ThreadRetrieveParams { SessionID = session.Id }, Cancellation);
        var events = (await service.Events.List(
            carefulId, new ThreadEventList { SessionID = session.Id }, Cancellation)).Items;
        var archived = await service.Archive(
            carefulId, new ThreadArchiveParams { SessionID = session.Id }, Cancellation);

        Assert.All(threads.Append(careful).Append(archived), thread => thread.Validate());
        Assert.Equal(["lead", "careful", "slow"], threads.Select(thread => thread.Agent.Name));
        Assert.All(threads, thread => Assert.Equal("idle", thread.Status.Raw()));
        Assert.Equal([null, threads[0].ID, threads[0].ID], threads.Select(thread => thread.ParentThreadID));
        Assert.True(careful.Agent.TryPickBetaManagedAgentsSessionThread(out var definition));
        Assert.Equal("You are careful.", definition.System);
        Assert.Equal(20, careful.Usage!.InputTokens);
        Assert.Equal(0, careful.Stats!.StartupSeconds);
        Assert.Null(careful.WorkflowRunID);
        Assert.All(events, item => item.Validate());
        Assert.True(events[0].TryPickAgentThreadMessageReceived(out var task));
        Assert.Equal((threads[0].ID, null), (task.FromSessionThreadID, task.FromAgentName));
        Assert.Equal(2, events.Count(item => item.Json.Type() == "session.thread_status_idle"));
        Assert.Equal("terminated", archived.Status.Raw());
        Assert.NotNull(archived.ArchivedAt);
        Assert.True((await session.Typed())[^1].TryPickThreadStatusTerminated(out var ended));
        Assert.Equal((carefulId, "careful"), (ended.SessionThreadID, ended.AgentName));
    }

    [Fact]
    public async Task What_an_agent_says_while_its_coordinator_works_is_told_once_when_it_is_read()
    {
        var free = new TaskCompletionSource();
        var quick = await lab.Agent("quick", lab.Model(Reply.Text("Done.")));
        var lead = lab.Model(Gives("quick", "Do it."), Reply.Text("Waiting.") with { Gate = _ => free.Task })
            .Otherwise(Reply.Text("Noted."));
        var session = await lab.Session(await lab.Agent("lead", lead, Roster(quick.ID)));
        await using var stream = await session.Open();

        await session.Send(Events.Message("Have it done."));
        var begun = await stream.ReadTo("session.thread_status_idle");
        free.SetResult();
        var rest = await stream.ReadTo("session.status_idle");

        Assert.Equal("quick", begun[^1].Name("agent_name"));
        Assert.Equal("Done.", begun.Concat(rest).The("agent.thread_message_received").Text());
        Assert.Contains("Done.", lead.Requests[^1].GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_consultation_of_the_advisor_tells_its_events()
    {
        var advisor = lab.Model(Reply.Text("Write the test first."));
        var lead = lab.Model(
            Reply.ToolUse("consult_advisor", new { question = "What next?" }), Reply.Text("I follow it."));
        var session = await lab.Session(await lab.Agent(
            "lead", lead, Roster(new BetaManagedAgentsAdvisorParams { Model = advisor.Name })));

        var turn = await session.Turn(Events.Message("Fix the bug."));

        var told = turn.Where(@event => @event.Type() is "session.thread_created" or "agent.thread_message_received"
            || (@event.Type().StartsWith("session.thread_status_", StringComparison.Ordinal)
                && @event.Name("agent_name") == "anthropic.advisor")).ToList();
        Assert.Equal(["session.thread_created", "session.thread_status_running", "agent.thread_message_received",
            "session.thread_status_idle", "session.thread_status_terminated"], told.Types());
        Assert.Equal(("anthropic.advisor", "Write the test first."), (told[2].Name("from_agent_name"), told[2].Text()));
        Assert.Equal("end_turn", told[3].StopReason());
        Assert.Equal("I follow it.", turn.The("agent.message").Text());
        var thread = (await lab.Client.Beta.Sessions.Threads.List(
            session.Id, cancellationToken: Cancellation)).Items[1];
        thread.Validate();
        Assert.True(thread.Agent.TryPickBetaManagedAgentsAdvisor(out var agent));
        Assert.Equal((advisor.Name, "terminated"), (agent.Model, thread.Status.Raw()));
        await session.Typed();
    }

    /// <summary>A coordinator has given work to two: one waits to be allowed, one thinks for ever.</summary>
    private async Task<(LabSession Session, LabStream Stream, List<JsonElement> Begun)> Begin()
    {
        var careful = await lab.Agent("careful", lab.Model(
            Reply.ToolUse("bash", new { command = "echo checked" }), Reply.Text("It is ", "checked.")), null, Asking);
        var slow = await lab.Agent("slow", lab.Model(Reply.Hang("Well")));
        var lead = lab.Model(Gives("careful", "Check it.").Then(Gives("slow", "Take your time.")))
            .Otherwise(Reply.Text("Noted."));
        var session = await lab.Session(await lab.Agent("lead", lead, Roster(careful.ID, slow.ID)));
        var stream = await session.Open();
        await session.Send(Events.Message("Have it done."));
        var begun = await stream.ReadUntil(
            read => read.Count(IsSent) == 2 && read.Types().Contains("agent.tool_use"), "two threads and a call");
        return (session, stream, begun);
    }

    private static BetaManagedAgentsMultiagentCoordinatorParams Roster(
        params BetaManagedAgentsMultiagentRosterEntryParams[] entries) => new() { Agents = entries };

    private static Reply Gives(string agent, string message) =>
        Reply.ToolUse("send_to_agent", new { agent, message });

    private static bool IsSent(JsonElement @event) => @event.Type() == "agent.thread_message_sent";

    private static string Created(IEnumerable<JsonElement> events, string agent) => events
        .Single(@event => @event.Type() == "session.thread_created" && @event.Name("agent_name") == agent)
        .Name("session_thread_id")!;
}
