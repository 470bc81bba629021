using System.Text.Json;
using Tenon.Server.Workflows;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>The entries of workflow runs (api C.9). Each list of them is one append.</summary>
public static class WorkflowSteps
{
    /// <summary>
    /// What follows from how far the program of a run came: what it wants done now, and its end if it has ended. A
    /// crash before the append runs it again.
    /// </summary>
    public static IReadOnlyList<object> Continue(SessionLog log, WorkflowRun run, int results, PlanRun outcome)
    {
        var entries = new List<object>();
        var open = run.OpenPhases.ToList();
        try
        {
            if (outcome.Steps.Count < run.StepsDone)
            {
                throw new PlatformCallException("The program did not do again what it had done before.");
            }

            foreach (var step in outcome.Steps.Skip(run.StepsDone))
            {
                entries.AddRange(Do(log, run, step, open));
            }
        }
        catch (PlatformCallException exception)
        {
            return [.. entries, .. End(log, run, open, new WorkflowError("program_error",
                "The program asked for an agent that the run cannot have."), exception.Message)];
        }

        entries.Add(new WorkflowRan(run.Id, results));
        entries.AddRange(outcome.End switch
        {
            PlanEnd.Waits => [new Later(() => IdleIfStill(log, run))],
            PlanEnd.Completed => End(log, run, open, null, outcome.Text),
            PlanEnd.TooManyAgents => End(log, run, open, new WorkflowError("thread_limit_error",
                "The run tried to start more agents than a run can have."), outcome.Text),
            _ => End(log, run, open, new WorkflowError("program_error", "The plan's program failed."), outcome.Text),
        });
        return entries;
    }

    /// <summary>Ends a run that has reached its time limit.</summary>
    public static IReadOnlyList<object> TimeOut(SessionLog log, WorkflowRun run) => End(
        log, run, [.. run.OpenPhases], new WorkflowError("timeout_error", "The run reached its time limit."),
        "It reached its time limit.");

    /// <summary>Ends a run that is wanted no more. Nobody is told who does not ask.</summary>
    public static IReadOnlyList<object> Stop(SessionLog log, WorkflowRun run) =>
    [
        .. Close(log, run, [.. run.OpenPhases]),
        On(log, new WorkflowRunStatusEnded { WorkflowRunId = run.Id, Result = Json("""{"type":"stopped"}""") }),
    ];

    /// <summary>The result of a thread of a run, as it ends.</summary>
    public static IReadOnlyList<object> Finish(ThreadLog thread, string text, bool isError) =>
        thread.Session.Runs.Find(thread.Started!.WorkflowRunId) is { IsEnded: false } run
            ? [new WorkflowResult(run.Id, text, isError)] : [];

    /// <summary>What a run says when one of its threads runs again.</summary>
    public static IReadOnlyList<object> Resume(ThreadLog thread) =>
        thread.Session.Runs.Find(thread.Started?.WorkflowRunId) is { IsIdle: true, IsEnded: false } run
            ? [On(thread.Session, new WorkflowRunStatusRunning { WorkflowRunId = run.Id })] : [];

    /// <summary>What a run says when one of its threads rests, and it may have been the last.</summary>
    public static IReadOnlyList<object> Rest(ThreadLog thread) =>
        thread.Session.Runs.Find(thread.Started?.WorkflowRunId) is { } run ? IdleIfStill(thread.Session, run) : [];

    private static IReadOnlyList<object> IdleIfStill(SessionLog log, WorkflowRun run) =>
        run is { IsEnded: false, IsIdle: false, IsDue: false }
            && !run.Threads.Any(id => SessionStatus.IsActive(log.Find(id)!.History.Status))
            ? [On(log, new WorkflowRunStatusIdle { WorkflowRunId = run.Id })] : [];

    private static IEnumerable<object> Do(
        SessionLog log, WorkflowRun run, PlanStep step, List<WorkflowRunPhaseStarted> open)
    {
        switch (step)
        {
            case StartAgent start:
                return Start(log, run, start);
            case EnterPhase enter:
                var phase = new WorkflowRunPhaseStarted
                {
                    Id = log.NextId(), WorkflowRunId = run.Id, WorkflowRunPhaseId = run.Plan.Phases[enter.Index].Id,
                };
                open.Add(phase);
                return [On(log, phase)];
            default:
                var left = open[^1];
                open.RemoveAt(open.Count - 1);
                return [On(log, Left(run, left))];
        }
    }

    private static IReadOnlyList<object> Start(SessionLog log, WorkflowRun run, StartAgent start)
    {
        var roster = Roster.Of(log.Primary.Agent);
        ThreadAgent agent = start.Definition is { } definition
            ? roster.CanDefineInWorkflows ? PlatformInput.Of(definition).Agent("agent", log.Primary.Agent)
                : throw new PlatformCallException("Plans cannot make up agents here.")
            : roster.WorkflowAgents.FirstOrDefault(member => member.Name == start.Name || member.Id == start.Name)
                ?? throw new PlatformCallException($"There is no agent '{start.Name}' for plans.");
        var threadId = log.NextThreadId();
        return
        [
            On(log, new SessionThreadCreated
            {
                SessionThreadId = threadId, AgentName = agent.CalledName, WorkflowRunId = run.Id,
            }),
            new On(threadId, new ThreadStarted(agent, log.Primary.ThreadId, run.Id)),
            new On(threadId, new AgentThreadMessageReceived
            {
                FromSessionThreadId = log.Primary.ThreadId, Content = [ContentBlock.Of(start.Task)],
            }),
            new On(threadId, new Later(() => Turn.Running(log.Find(threadId)!))),
        ];
    }

    private static IReadOnlyList<object> End(
        SessionLog log, WorkflowRun run, List<WorkflowRunPhaseStarted> open, WorkflowError? error, string text)
    {
        var result = error is null ? Json("""{"type":"completed"}""")
            : JsonSerializer.SerializeToElement(new { type = "error", error = error.ToJson() });
        var told = error is null ? $"[Workflow run {run.Plan.Name} ({run.Id}) has ended. It returned:]\n{text}"
            : $"[Workflow run {run.Plan.Name} ({run.Id}) has failed: {error.Message}]\n{text}";
        return
        [
            .. Close(log, run, open),
            .. error is null ? [] : (object[])
            [
                On(log, new WorkflowRunError { WorkflowRunId = run.Id, Error = error.ToJson() }),
            ],
            On(log, new WorkflowRunStatusEnded { WorkflowRunId = run.Id, Result = result }),
            new Later(() => ThreadMessages.Tell(log.Primary, told)),
        ];
    }

    /// <summary>Ends the threads that still work, and the phases, the innermost first.</summary>
    private static IReadOnlyList<object> Close(SessionLog log, WorkflowRun run, List<WorkflowRunPhaseStarted> open) =>
    [
        .. run.Threads.Select(id => log.Find(id)!)
            .Where(thread => thread.History.Status != SessionStatus.Terminated)
            .SelectMany(thread => Turn.Closing(thread).Concat(Turn.Terminated(thread))
                .Select(entry => new On(thread.ThreadId, entry))),
        .. Enumerable.Reverse(open).Select(phase => On(log, Left(run, phase))),
    ];

    private static WorkflowRunPhaseEnded Left(WorkflowRun run, WorkflowRunPhaseStarted phase) => new()
    {
        WorkflowRunId = run.Id, WorkflowRunPhaseId = phase.WorkflowRunPhaseId, PhaseStartedId = phase.Id!,
    };

    private static On On(SessionLog log, SessionEvent @event) => new(log.Primary.ThreadId, @event);

    private static JsonElement Json(string text) => JsonElement.Parse(text);
}

/// <summary>Why a run did not finish, in words of the server's own (api C.2).</summary>
/// <param name="Type"><c>timeout_error program_error unknown_error thread_limit_error max_workflow_runs_error</c>.
/// </param>
public sealed record WorkflowError(string Type, string Message)
{
    public JsonElement ToJson() => JsonSerializer.SerializeToElement(new { type = Type, message = Message });
}
