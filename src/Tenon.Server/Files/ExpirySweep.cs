namespace Tenon.Server.Files;

/// <summary>Deletes the bytes of expired files while the server runs. What it misses, the next start sweeps.</summary>
public sealed partial class ExpirySweep(FileStore files, TimeProvider clock, ILogger<ExpirySweep> logger)
    : BackgroundService
{
    /// <summary>A file lives an hour at least, and is refused from the moment it expires.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await files.SweepExpired(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // The next sweep tries again; nothing expired is given out meanwhile.
                LogFailed(exception);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Expired files were not swept")]
    private partial void LogFailed(Exception exception);
}
