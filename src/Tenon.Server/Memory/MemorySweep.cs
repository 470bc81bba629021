namespace Tenon.Server.Memory;

/// <summary>Deletes old versions while the server runs. What it misses, the next start sweeps.</summary>
public sealed partial class MemorySweep(MemoryStore store, TimeProvider clock, ILogger<MemorySweep> logger)
    : BackgroundService
{
    /// <summary>Versions are kept for a month; nobody waits for the end of one.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await store.SweepVersions(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // The next sweep tries again; a version too many costs room only.
                LogFailed(exception);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Old versions of memories were not swept")]
    private partial void LogFailed(Exception exception);
}
