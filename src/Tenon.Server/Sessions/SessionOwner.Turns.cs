using Tenon.Server.Harness;
using Tenon.Server.Storage;
using Tenon.Server.Tools;

namespace Tenon.Server.Sessions;

/// <content>The turns of the session's threads, each a task beside the requests.</content>
public sealed partial class SessionOwner
{
    private readonly Dictionary<ThreadLog, RunningTurn> _turns = [];

    // Threads that were at work when this owner read the log: another one may have sent their calls.
    private HashSet<ThreadLog> _inherited = [];

    private bool IsEnding => _isOver || _stopping.IsCancellationRequested;

    /// <summary>Goes on with every thread and every workflow run that has something to do.</summary>
    private void StartTurns()
    {
        // A thread may be ended by another one, or by its client, while its turn runs.
        foreach (var running in _turns.Where(pair => pair.Key.History.Status == SessionStatus.Terminated)
            .Select(pair => pair.Value).ToList())
        {
            // What it does in the sandbox is not wanted any more either.
            running.Cancel(interrupt: true);
        }

        foreach (var thread in _log.Threads.Where(thread => Turn.IsDue(thread.History)).ToList())
        {
            StartTurn(thread);
        }

        EndWatches();
        StartPrograms();
    }

    private void StartTurn(ThreadLog thread)
    {
        if (_record is null || _turns.ContainsKey(thread) || IsEnding || (thread.IsOfRun
            && _turns.Keys.Count(running => running.IsOfRun) >= _services.Limits.WorkflowThreadsMax))
        {
            return;
        }

        var tools = new ToolRunner(
            _services.Sandboxes, _services.Web, _services.Mcp, _services.KeepMedia, _record.Id)
        {
            Shell = thread.IsPrimary ? null : thread.ThreadId,
            SaveMemories = _record.Definition.Memories.Count > 0 ? _services.SaveMemories : null,
        };
        var turn = new Turn(thread, _services.Model, tools, _services.Feed,
            _services.Limits.For(_record.Definition.Limits.GetValueOrDefault(thread.Agent.Id)), _services.Clock)
        {
            IsTakenOver = _inherited.Remove(thread),
            Notes = SessionNotes.Of(_record.Definition, thread.Agent),
            Unreachable = thread.IsPrimary && _record.Definition is { IsSelfHosted: false, VaultIds.Count: > 0 }
                ? _services.Unreachable : null,
        };
        if (_turns.Count == 0)
        {
            // A turn may outlast the time after which an owner without requests is let go.
            _host.Hold();
        }

        var running = new RunningTurn(turn, CancellationTokenSource.CreateLinkedTokenSource(_stopping));
        _turns.Add(thread, running);
        running.Task = RunTurn(thread, running);
    }

    private void Interrupt(IEnumerable<ThreadLog> threads)
    {
        foreach (var thread in threads)
        {
            _turns.GetValueOrDefault(thread)?.Turn.Interrupt();
        }
    }

    // Stops the turns without a word in the log: the server stops and the next owner goes on, or the session is killed.
    private void StopTurns()
    {
        foreach (var running in _turns.Values.ToList())
        {
            running.Cancel(interrupt: false);
        }
    }

    /// <summary>Completes when no turn runs.</summary>
    private async Task WhenStill()
    {
        while (_turns.Count > 0)
        {
            await _turns.Values.First().Task;
        }
    }

    private async Task RunTurn(ThreadLog thread, RunningTurn running)
    {
        // The caller has yet to note the task, and others of the same append to be started.
        await Task.Yield();
        try
        {
            await RunOrFail(running.Turn, running.Stop.Token);
        }
        catch (OperationCanceledException) when (running.Stop.IsCancellationRequested)
        {
            // The log says where the next owner goes on, or that there is nothing to go on with.
        }
        catch (Exception exception)
        {
            Lose(exception);
        }
        finally
        {
            _turns.Remove(thread);
            running.Dispose();
            if (_turns.Count == 0 && _programs.Count == 0)
            {
                _host.Release();
            }
        }

        // Input that came while the last entries were being flushed has found no turn to start.
        StartTurns();
        KeepFiles();
    }

    // Another owner, or a log that takes nothing. What is in memory is worth nothing now; the next owner folds the log
    // and goes on from there.
    private void Lose(Exception exception)
    {
        LogFailed(_log.SessionId, exception);
        _isOver = true;
        StopTurns();
        _host.Lose(exception);
    }

    private async Task RunOrFail(Turn turn, CancellationToken stop)
    {
        try
        {
            await turn.Run(stop);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested
            && exception is not (SequenceConflictException or LogUnavailableException)
            && !DatabaseFault.IsOutage(exception))
        {
            LogFailed(_log.SessionId, exception);
            await turn.Fail();
        }
    }

    private sealed record RunningTurn(Turn Turn, CancellationTokenSource Stop) : IDisposable
    {
        private bool _isOver;

        public Task Task { get; set; } = Task.CompletedTask;

        /// <summary>Ends the turn. It may go on in this very call, to its end.</summary>
        public void Cancel(bool interrupt)
        {
            if (interrupt && !_isOver)
            {
                Turn.Interrupt();
            }

            if (!_isOver)
            {
                Stop.Cancel();
            }
        }

        public void Dispose()
        {
            _isOver = true;
            Turn.Dispose();
            Stop.Dispose();
        }
    }
}
