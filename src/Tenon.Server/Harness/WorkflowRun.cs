using Tenon.Server.Storage;
using Tenon.Server.Workflows;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <summary>One workflow run as the log says: its plan, what its program has had done, and what came of that.</summary>
public sealed class WorkflowRun(string id, WorkflowStarted started, DateTimeOffset startedAt)
{
    private readonly List<PlanResult?> _results = [];
    private readonly List<string> _threads = [];
    private readonly List<WorkflowRunPhaseStarted> _open = [];
    private int _finished;
    private int _ranWith = -1;

    public string Id => id;

    public WorkflowStarted Plan => started;

    public DateTimeOffset StartedAt => startedAt;

    /// <summary>Its threads, in the order in which they began.</summary>
    public IReadOnlyList<string> Threads => _threads;

    /// <summary>What each thread came to; null while it works.</summary>
    public IReadOnlyList<PlanResult?> Results => _results;

    /// <summary>How many results there are.</summary>
    public int Finished => _finished;

    /// <summary>How much of what the program wanted has been done.</summary>
    public int StepsDone { get; private set; }

    /// <summary>The phases that it is in, the innermost last.</summary>
    public IReadOnlyList<WorkflowRunPhaseStarted> OpenPhases => _open;

    /// <summary>Nothing of it works, and it waits for the client or for a budget.</summary>
    public bool IsIdle { get; private set; }

    public bool IsEnded { get; private set; }

    /// <summary>Whether its program has something to go on with.</summary>
    public bool IsDue => !IsEnded && _ranWith < _finished;

    internal void Apply(LogEntry entry, object content)
    {
        switch (content)
        {
            case ThreadStarted:
                _threads.Add(entry.Thread);
                _results.Add(null);
                StepsDone++;
                break;
            case WorkflowResult result:
                _results[_threads.IndexOf(entry.Thread)] = new PlanResult(result.Text, result.IsError, _finished++);
                break;
            case WorkflowRan ran:
                _ranWith = ran.Results;
                break;
            case WorkflowRunPhaseStarted phase:
                _open.Add(phase);
                StepsDone++;
                break;
            case WorkflowRunPhaseEnded ended:
                _open.RemoveAll(phase => phase.Id == ended.PhaseStartedId);
                StepsDone++;
                break;
            case WorkflowRunStatusRunning:
                IsIdle = false;
                break;
            case WorkflowRunStatusIdle:
                IsIdle = true;
                break;
            case WorkflowRunStatusEnded:
                IsEnded = true;
                break;
        }
    }
}
