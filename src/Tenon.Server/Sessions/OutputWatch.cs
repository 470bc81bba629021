using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// Looks at a session's outputs when its sandbox says that something there has changed, so that a file is listed
/// within a second of its end, also while the command that wrote it runs on. Costs nothing while nothing is written.
/// </summary>
/// <remarks>
/// What a sandbox says may be lost, with a connection or a crash. Outputs are looked at when a session goes idle, when
/// its sandbox is found again after a restart, and when they are listed; this only makes it sooner.
/// </remarks>
public sealed partial class OutputWatch(
    SandboxProvider sandboxes, SessionOutputs outputs, TimeProvider clock, ILogger<OutputWatch> logger)
    : BackgroundService
{
    /// <summary>Looks at the same time. Each walks and copies, and the disk has others to serve.</summary>
    private const int LooksMax = 4;

    /// <summary>
    /// A look is followed by so many times its own length of rest: a session that writes without end costs the server
    /// a tenth of one reader.
    /// </summary>
    private const int RestFactor = 9;

    /// <summary>Looks in a row that may fail. After that the next write, or the next list, begins anew.</summary>
    private const int FailuresMax = 5;

    /// <summary>After a large copy nobody waits longer than this for the next small file.</summary>
    private static readonly TimeSpan RestMax = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan RestAfterFailure = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _looks = new(LooksMax);
    private readonly Dictionary<string, Watched> _watched = new(StringComparer.Ordinal);
    private CancellationToken _stopping;

    public override void Dispose()
    {
        base.Dispose();
        _looks.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _stopping = stoppingToken;
        sandboxes.OutputsWritten += Hear;
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stoppingToken.Register(stopped.SetResult))
        {
            await stopped.Task;
        }

        sandboxes.OutputsWritten -= Hear;

        // What is under way ends before the database does.
        await Task.WhenAll(UnderWay());
    }

    private IReadOnlyList<Task> UnderWay()
    {
        lock (_gate)
        {
            return [.. _watched.Values.Select(watched => watched.Work)];
        }
    }

    private void Hear(string sessionId)
    {
        lock (_gate)
        {
            if (_watched.TryGetValue(sessionId, out var watched))
            {
                watched.IsDue = true;
            }
            else if (!_stopping.IsCancellationRequested)
            {
                watched = new Watched();
                _watched.Add(sessionId, watched);
                watched.Work = Task.Run(() => Follow(sessionId, watched), CancellationToken.None);
            }
        }
    }

    /// <summary>Looks until nothing new was heard of while it looked and rested.</summary>
    private async Task Follow(string sessionId, Watched watched)
    {
        try
        {
            var failures = 0;
            do
            {
                watched.IsDue = false;
                var (isDone, rest) = await Look(sessionId);
                failures = isDone ? 0 : failures + 1;
                await Task.Delay(rest, clock, _stopping);
                if (failures is > 0 and < FailuresMax)
                {
                    watched.IsDue = true;
                }
            }
            while (!Leave(sessionId, watched));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The next server looks when it finds the sandbox again.
        }
    }

    private bool Leave(string sessionId, Watched watched)
    {
        lock (_gate)
        {
            return !watched.IsDue && _watched.Remove(sessionId);
        }
    }

    private async Task<(bool IsDone, TimeSpan Pause)> Look(string sessionId)
    {
        await _looks.WaitAsync(_stopping);
        try
        {
            var begun = clock.GetTimestamp();
            await outputs.Follow(sessionId, _stopping);
            var rest = clock.GetElapsedTime(begun) * RestFactor;
            return (true, rest < RestMax ? rest : RestMax);
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            // Nothing is lost: it is tried again, and whoever lists the files learns what is wrong.
            LogFailed(sessionId, exception);
            return (false, RestAfterFailure);
        }
        finally
        {
            _looks.Release();
        }
    }

    [LoggerMessage(LogLevel.Warning, "The outputs of {SessionId} were not looked at")]
    private partial void LogFailed(string sessionId, Exception exception);

    private sealed class Watched
    {
        /// <summary>Something was heard since the look that runs began.</summary>
        public bool IsDue { get; set; }

        public Task Work { get; set; } = Task.CompletedTask;
    }
}
