using System.Text.Json;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>Workflow runs, as the primary thread starts and stops them (api C.9).</content>
public sealed partial class Turn
{
    private const int PhasesMax = 100;
    private const int ProgramMax = 100_000;

    private IReadOnlyList<object> StartRun(Call call)
    {
        if (log.Session.Runs.Open.Count() >= limits.WorkflowRunsMax)
        {
            var error = new WorkflowError("max_workflow_runs_error",
                $"{limits.WorkflowRunsMax} workflow runs are open, which is as many as a session can have.");
            return
            [
                new WorkflowRunError { Error = error.ToJson() },
                new PlatformResult(call.Id, $"The run was not created: {error.Message}", true),
            ];
        }

        var input = PlatformInput.Of(call.Input);
        var program = input.Text("program", ProgramMax) ?? throw new PlatformCallException("program is required.");
        var runId = log.Session.NextRunId();
        var name = input.Text("name", PlatformInput.NameMax) ?? $"run-{runId[^6..]}";
        var description = input.Text("description", PlatformInput.MessageMax);
        var phases = Phases(call.Input);
        return
        [
            new WorkflowStarted(runId, name, phases, program),
            new WorkflowRunCreated
            {
                WorkflowRunId = runId, Name = name, Description = description, Phases = phases,
            },
            new WorkflowRunStatusRunning { WorkflowRunId = runId },
            Ok(call, $"Workflow run {name} has started; its id is {runId}. You get a message when it ends."),
        ];
    }

    private IReadOnlyList<object> StopRun(Call call)
    {
        var id = PlatformInput.Of(call.Input).Text("workflow_run_id", PlatformInput.NameMax);
        var run = log.Session.Runs.Find(id);
        return run is null ? throw new PlatformCallException($"There is no workflow run '{id}'.")
            : run.IsEnded ? [Ok(call, "It has ended before.")]
            : [.. WorkflowSteps.Stop(log.Session, run), Ok(call, "It was stopped.")];
    }

    private List<WorkflowRunPhase> Phases(JsonElement input)
    {
        if (!input.TryGetProperty("phases", out var given) || given.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        if (given.ValueKind != JsonValueKind.Array || given.GetArrayLength() > PhasesMax)
        {
            throw new PlatformCallException($"phases must be a list of at most {PhasesMax}.");
        }

        var phases = given.EnumerateArray().Select(PlatformInput.Of).Select(phase => new WorkflowRunPhase
        {
            Id = log.Session.NextPhaseId(),
            Name = phase.Text("name", PlatformInput.NameMax)
                ?? throw new PlatformCallException("A phase needs a name."),
            Description = phase.Text("description", PlatformInput.MessageMax),
        }).ToList();
        return phases.DistinctBy(phase => phase.Name).Count() == phases.Count
            ? phases : throw new PlatformCallException("Two phases have the same name.");
    }
}
