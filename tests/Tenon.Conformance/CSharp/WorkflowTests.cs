using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Workflow runs and their events, as the SDK reads them (api C.2, C.9).</summary>
public sealed class WorkflowTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_tells_its_phases_waits_for_the_client_and_ends()
    {
        var helper = lab.Model(Reply.Text("3"));
        var program = $$"""
            const found = phase('look', () => waitAll([startAgent('worker', 'look')]));
            return phase('sum', () =>
              wait(startAgent({name: 'adder', system: 'Add.', model: '{{helper.Name}}'}, found.join('+'))));
            """;
        var session = await Start(Reply.ToolUse("start_workflow_run", new
        {
            name = "adding",
            description = "Adds.",
            phases = new[] { new { name = "look" }, new { name = "sum" } },
            program,
        }));
        var asked = await session.Turn(Events.Message("go"));

        await session.Turn(Events.Allow(asked.The("agent.tool_use").Id()!));
        var events = await session.Typed();

        Assert.Equal("requires_action", asked[^1].StopReason());
        Assert.Equal(
            ["created", "status_running", "phase_started", "status_idle", "status_running", "phase_ended",
                "phase_started", "phase_ended", "status_ended"],
            events.Select(item => item.Json.Type())
                .Where(type => type.StartsWith("workflow_run.", StringComparison.Ordinal))
                .Select(type => type["workflow_run.".Length..]));
        var created = Pick<BetaManagedAgentsWorkflowRunCreatedEvent>(events).Single();
        Assert.Equal(("adding", "Adds."), (created.Name, created.Description));
        Assert.Equal(["look", "sum"], created.Phases.Select(phase => phase.Name));
        var begun = Pick<BetaManagedAgentsWorkflowRunPhaseStartedEvent>(events).ToList();
        Assert.Equal(created.Phases.Select(phase => phase.ID), begun.Select(phase => phase.WorkflowRunPhaseID));
        Assert.Equal(begun.Select(phase => phase.ID),
            Pick<BetaManagedAgentsWorkflowRunPhaseEndedEvent>(events).Select(phase => phase.PhaseStartedID));
        Assert.True(Pick<BetaManagedAgentsWorkflowRunStatusEndedEvent>(events).Single().Result.TryPickCompleted(out _));
        Assert.Equal([created.WorkflowRunID, created.WorkflowRunID],
            Pick<BetaManagedAgentsSessionThreadCreatedEvent>(events).Select(thread => thread.WorkflowRunID));
        var threads = (await lab.Client.Beta.Sessions.Threads.List(
            session.Id, cancellationToken: Cancellation)).Items;
        Assert.All(threads, thread => thread.Validate());
        Assert.Equal([null, created.WorkflowRunID, created.WorkflowRunID],
            threads.Select(thread => thread.WorkflowRunID));
        Assert.True(threads[1].Agent.TryPickBetaManagedAgentsSessionThread(out _));
        Assert.True(threads[2].Agent.TryPickBetaManagedAgentsInline(out var inline));
        Assert.Equal(("adder", "Add."), (inline.Name, inline.System));
    }

    [Fact]
    public async Task A_program_that_fails_is_an_error_of_its_run()
    {
        var session = await Start(Reply.ToolUse("start_workflow_run", new { program = "throw new Error('no');" }));

        await session.Turn(Events.Message("go"));
        var events = await session.Typed();

        var error = Pick<BetaManagedAgentsWorkflowRunErrorEvent>(events).Single();
        Assert.True(error.Error.TryPickProgram(out var failure));
        Assert.Equal("The plan's program failed.", failure.Message);
        var ended = Pick<BetaManagedAgentsWorkflowRunStatusEndedEvent>(events).Single();
        Assert.True(ended.Result.TryPickError(out var result));
        Assert.Equal(failure.Message, result.Error.Message);
        Assert.Equal([error.WorkflowRunID, error.WorkflowRunID],
            [Pick<BetaManagedAgentsWorkflowRunCreatedEvent>(events).Single().WorkflowRunID, ended.WorkflowRunID]);
    }

    [Fact]
    public async Task An_interrupt_of_the_session_stops_its_runs()
    {
        var session = await Start(Reply.ToolUse("start_workflow_run", new
        {
            program = "return wait(startAgent('worker', 'look'));",
        }));
        await session.Turn(Events.Message("go"));

        await session.Turn(Events.Interrupt());

        var ended = Pick<BetaManagedAgentsWorkflowRunStatusEndedEvent>(await session.Typed()).Single();
        Assert.True(ended.Result.TryPickStopped(out _));
    }

    /// <summary>A session whose agent does this first. Its worker asks whether it may run a command.</summary>
    private async Task<LabSession> Start(Reply first)
    {
        var worker = await lab.Agent(
            "worker", lab.Model(Reply.ToolUse("bash", new { command = "echo 1" }), Reply.Text("1")), null,
            new BetaManagedAgentsAgentToolset20260401Params
            {
                DefaultConfig = new BetaManagedAgentsAgentToolsetDefaultConfigParams
                {
                    PermissionPolicy = new BetaManagedAgentsAlwaysAskPolicy(),
                },
            });
        return await lab.Session(await lab.Agent(
            "planner", lab.Model(first).Otherwise(Reply.Text("Noted.")), new BetaManagedAgentsMultiagent20261001Params
            {
                Subagents = new BetaManagedAgentsMultiagentSubagentsDisabledParams(),
                Workflows = new BetaManagedAgentsMultiagentWorkflowsEnabledParams { PredefinedAgents = [worker.ID] },
            }));
    }

    private static IEnumerable<T> Pick<T>(IEnumerable<BetaManagedAgentsSessionEvent> events) =>
        events.Select(item => item.Value).OfType<T>();
}
