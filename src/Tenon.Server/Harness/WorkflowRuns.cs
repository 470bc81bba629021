using Tenon.Server.Storage;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <summary>A session's workflow runs: a part of its <see cref="SessionLog"/>.</summary>
public sealed class WorkflowRuns
{
    private readonly Dictionary<string, WorkflowRun> _runs = new(StringComparer.Ordinal);

    /// <summary>Those that have not ended.</summary>
    public IEnumerable<WorkflowRun> Open => _runs.Values.Where(run => !run.IsEnded);

    /// <summary>Whether a program has something to go on with.</summary>
    public bool IsDue => _runs.Values.Any(run => run.IsDue);

    public WorkflowRun? Find(string? id) => id is null ? null : _runs.GetValueOrDefault(id);

    internal void Apply(LogEntry entry, object content)
    {
        if (content is WorkflowStarted started)
        {
            _runs.Add(started.RunId, new WorkflowRun(
                started.RunId, started, Microseconds.FromMicroseconds(entry.At)));
            return;
        }

        Find(content switch
        {
            ThreadStarted thread => thread.WorkflowRunId,
            WorkflowResult result => result.RunId,
            WorkflowRan ran => ran.RunId,
            WorkflowRunPhaseStarted phase => phase.WorkflowRunId,
            WorkflowRunPhaseEnded phase => phase.WorkflowRunId,
            WorkflowRunStatusRunning running => running.WorkflowRunId,
            WorkflowRunStatusIdle idle => idle.WorkflowRunId,
            WorkflowRunStatusEnded ended => ended.WorkflowRunId,
            _ => null,
        })?.Apply(entry, content);
    }
}
