using Tenon.Server.Harness;

namespace Tenon.Server.Sessions;

/// <content>The programs of workflow runs, each run on when there is more for it to go on with.</content>
public sealed partial class SessionOwner
{
    private readonly Dictionary<string, ITimer> _deadlines = [];
    private readonly HashSet<string> _programs = [];

    /// <summary>Runs on every program that has something to go on with, and watches the time of every run.</summary>
    private void StartPrograms()
    {
        foreach (var run in _log.Runs.Open.Where(run => _record is not null && !IsEnding).ToList())
        {
            Watch(run);
            if (run.IsDue && _programs.Add(run.Id))
            {
                _ = RunProgram(run);
            }
        }
    }

    private async Task RunProgram(WorkflowRun run)
    {
        _host.Hold();
        try
        {
            // Those who append have yet to end their own step.
            await Task.Yield();
            while (run.IsDue && !IsEnding && _record is not null)
            {
                var results = run.Finished;
                var outcome = await _services.RunPlan(run);
                if (!run.IsEnded && !IsEnding && _record is not null)
                {
                    await _log.Append(WorkflowSteps.Continue(_log, run, results, outcome));
                }
            }
        }
        catch (Exception exception)
        {
            // As with a turn: the next owner reads the log and runs the program again.
            Lose(exception);
        }
        finally
        {
            _programs.Remove(run.Id);
            if (_turns.Count == 0 && _programs.Count == 0)
            {
                _host.Release();
            }
        }

        StartTurns();
    }

    // A run that nobody goes on with is looked at when its session is next asked for something.
    private void Watch(WorkflowRun run)
    {
        if (!_deadlines.ContainsKey(run.Id))
        {
            var left = run.StartedAt + _services.Limits.WorkflowTimeMax - _services.Clock.GetUtcNow();
            var scheduler = TaskScheduler.Current;
            _deadlines.Add(run.Id, _services.Clock.CreateTimer(
                _ => Task.Factory.StartNew(
                    () => TimeOut(run), CancellationToken.None, TaskCreationOptions.None, scheduler),
                null, left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan));
        }
    }

    private async Task TimeOut(WorkflowRun run)
    {
        try
        {
            if (!run.IsEnded && !IsEnding && _record is not null)
            {
                await _log.Append(WorkflowSteps.TimeOut(_log, run));
            }
        }
        catch (Exception exception)
        {
            // As above.
            Lose(exception);
        }
    }

    private void EndWatches()
    {
        foreach (var (id, timer) in _deadlines.Where(
            pair => IsEnding || _log.Runs.Find(pair.Key) is { IsEnded: true }).ToList())
        {
            timer.Dispose();
            _deadlines.Remove(id);
        }
    }
}
