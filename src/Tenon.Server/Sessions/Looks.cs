namespace Tenon.Server.Sessions;

/// <summary>
/// Looks at what sessions' sandboxes have written, when something says that it is time: at each session once at a time,
/// again when something was heard meanwhile, and at a bounded cost.
/// </summary>
/// <param name="look">A look at a session; false when another one is due at once.</param>
/// <param name="failed">Told of a look that failed; it is tried again.</param>
internal sealed class Looks(
    Func<string, CancellationToken, Task<bool>> look, Action<string, Exception> failed, TimeProvider clock)
    : IDisposable
{
    /// <summary>Looks at the same time. Each walks and copies, and the disk has others to serve.</summary>
    private const int LooksMax = 4;

    /// <summary>
    /// A session's looks may take one part in so many of the time: one that writes without end costs the server a
    /// tenth of one reader.
    /// </summary>
    private const int Share = 10;

    /// <summary>Looks in a row that may fail. After that the next word begins anew.</summary>
    private const int FailuresMax = 5;

    /// <summary>
    /// What looks may take before they have to rest, once a session has been quiet for so many times it: a look that
    /// met a busy machine makes nobody wait for the next change.
    /// </summary>
    private static readonly TimeSpan CreditMax = TimeSpan.FromMilliseconds(500);

    /// <summary>After a large copy nobody waits longer than this for the next small file.</summary>
    private static readonly TimeSpan RestMax = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan RestAfterFailure = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _looks = new(LooksMax);
    private readonly Dictionary<string, Watched> _watched = new(StringComparer.Ordinal);
    private CancellationToken _stopping;

    /// <summary>Begins to hear; before that every word is lost.</summary>
    public void Start(CancellationToken stopping) => _stopping = stopping;

    public void Dispose() => _looks.Dispose();

    /// <summary>It is time to look at a session. Does not wait.</summary>
    public void Hear(string sessionId)
    {
        lock (_gate)
        {
            if (_watched.TryGetValue(sessionId, out var watched))
            {
                watched.IsDue = true;
                watched.Heard.TrySetResult();
            }
            else if (!_stopping.IsCancellationRequested)
            {
                watched = new Watched();
                _watched.Add(sessionId, watched);
                watched.Work = Task.Run(() => Follow(sessionId, watched), CancellationToken.None);
            }
        }
    }

    /// <summary>Completes when nothing is under way any more. Nothing is heard once it is stopping.</summary>
    public Task Ended()
    {
        lock (_gate)
        {
            return Task.WhenAll([.. _watched.Values.Select(watched => watched.Work)]);
        }
    }

    /// <summary>Looks until nothing new was heard of since it looked, and it owes no more rest.</summary>
    private async Task Follow(string sessionId, Watched watched)
    {
        try
        {
            var (failures, credit) = (0, CreditMax);
            do
            {
                var begun = clock.GetTimestamp();
                Begin(watched);
                var (isDone, took) = await Look(sessionId, watched);
                failures = isDone ? 0 : failures + 1;
                credit = Longer(credit - took, -RestMax / Share);
                await Task.Delay(
                    isDone ? Longer(-credit * Share, TimeSpan.Zero) : RestAfterFailure, clock, _stopping);
                if (failures is > 0 and < FailuresMax)
                {
                    Hear(sessionId);
                }

                // The rest of the credit comes back while nothing is heard: only then is this one forgotten.
                var missing = CreditMax - credit - (clock.GetElapsedTime(begun) / Share);
                await Task.WhenAny(
                    watched.Heard.Task, Task.Delay(Longer(missing * Share, TimeSpan.Zero), clock, _stopping));
                _stopping.ThrowIfCancellationRequested();
                credit = Shorter(credit + (clock.GetElapsedTime(begun) / Share), CreditMax);
            }
            while (!Leave(sessionId, watched));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The next server looks when it finds the sandbox again.
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private void Begin(Watched watched)
    {
        lock (_gate)
        {
            watched.IsDue = false;
            watched.Heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private bool Leave(string sessionId, Watched watched)
    {
        lock (_gate)
        {
            return !watched.IsDue && _watched.Remove(sessionId);
        }
    }

    private async Task<(bool IsDone, TimeSpan Took)> Look(string sessionId, Watched watched)
    {
        await _looks.WaitAsync(_stopping);
        try
        {
            var begun = clock.GetTimestamp();
            if (!await look(sessionId, _stopping))
            {
                Hear(sessionId);
            }

            return (true, clock.GetElapsedTime(begun));
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            // Nothing is lost: it is tried again, and whoever needs what was written learns what is wrong.
            failed(sessionId, exception);
            return (false, TimeSpan.Zero);
        }
        finally
        {
            _looks.Release();
        }
    }

    private sealed class Watched
    {
        /// <summary>Something was heard since the look that runs began.</summary>
        public bool IsDue { get; set; }

        /// <summary>Completes with it.</summary>
        public TaskCompletionSource Heard { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Work { get; set; } = Task.CompletedTask;
    }
}
