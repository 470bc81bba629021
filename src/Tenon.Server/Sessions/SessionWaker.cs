namespace Tenon.Server.Sessions;

/// <summary>
/// At start, before the first request is taken: sweeps what deletions left and wakes every session that its log leaves
/// at work, so that what a crash cut short goes on by itself.
/// </summary>
public sealed partial class SessionWaker(SessionStore store, IGrainFactory grains, ILogger<SessionWaker> logger)
{
    public async Task Run(CancellationToken cancellationToken)
    {
        await store.SweepDeleted(cancellationToken);
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

    [LoggerMessage(LogLevel.Information, "Woke {Count} sessions that the last run left at work")]
    private partial void LogWoken(int count);
}
