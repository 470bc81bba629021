using Tenon.Server.Files;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <summary>
/// At start, before the first request is taken: brings the database up to date, sweeps what deletions left, and wakes
/// every session that its log leaves at work, so that what a crash cut short goes on by itself.
/// </summary>
public sealed partial class SessionWaker(
    IDatabase database, SessionStore store, FileStore files, BubblewrapProvider sandboxes, IGrainFactory grains,
    ILogger<SessionWaker> logger)
    : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        database.Migrate();
        await store.SweepDeleted(cancellationToken);
        await files.Sweep(cancellationToken);
        await sandboxes.Reap(async id => await store.Exists(id, cancellationToken), cancellationToken);
        var unfinished = await store.ListUnfinished(cancellationToken);
        foreach (var id in unfinished)
        {
            await grains.GetGrain<ISessionGrain>(id).Wake();
        }

        if (unfinished.Count > 0)
        {
            LogWoken(unfinished.Count);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(LogLevel.Information, "Woke {Count} sessions that the last run left at work")]
    private partial void LogWoken(int count);
}
