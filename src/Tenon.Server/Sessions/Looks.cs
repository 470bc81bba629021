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
    /// A look is followed by so many times its own length of rest: a session that writes without end costs the server
    /// a tenth of one reader.
    /// </summary>
    private const int RestFactor = 9;

    /// <summary>Looks in a row that may fail. After that the next word begins anew.</summary>
    private const int FailuresMax = 5;

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

    /// <summary>Looks until nothing new was heard of while it looked and rested.</summary>
    private async Task Follow(string sessionId, Watched watched)
    {
        try
        {
            var failures = 0;
            do
            {
                watched.IsDue = false;
                var (isDone, rest) = await Look(sessionId, watched);
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

    private async Task<(bool IsDone, TimeSpan Pause)> Look(string sessionId, Watched watched)
    {
        await _looks.WaitAsync(_stopping);
        try
        {
            var begun = clock.GetTimestamp();
            watched.IsDue |= !await look(sessionId, _stopping);
            var rest = clock.GetElapsedTime(begun) * RestFactor;
            return (true, rest < RestMax ? rest : RestMax);
        }
        catch (Exception exception) when (!_stopping.IsCancellationRequested)
        {
            // Nothing is lost: it is tried again, and whoever needs what was written learns what is wrong.
            failed(sessionId, exception);
            return (false, RestAfterFailure);
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

        public Task Work { get; set; } = Task.CompletedTask;
    }
}
