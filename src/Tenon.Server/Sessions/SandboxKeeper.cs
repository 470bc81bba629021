using Tenon.Server.Harness;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <summary>
/// Follows the sandboxes while the server runs: freezes and ends those that rest, and deletes files that are past
/// their time or belong to nobody.
/// </summary>
public sealed partial class SandboxKeeper(
    SandboxProvider sandboxes, SessionStore store, SkillFolders skills, IDatabase database, SandboxOptions options,
    TimeProvider clock, ILogger<SandboxKeeper> logger) : BackgroundService
{
    /// <summary>How often sandboxes are looked at; a small part of the shortest time that can be set.</summary>
    private static readonly TimeSpan RestInterval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromHours(1);

    /// <summary>What is younger may be a session that is just being made.</summary>
    private static readonly TimeSpan StrangerAge = TimeSpan.FromHours(1);

    /// <summary>Sessions whose files one sweep deletes: it bounds its time. The next one goes on.</summary>
    private const int DeletionsMax = 200;

    private bool _hasLooked;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        Every(RestInterval, Rest, stoppingToken), Every(SweepInterval, Sweep, stoppingToken));

    private async Task Every(TimeSpan interval, Func<CancellationToken, Task> work, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(interval, clock);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            try
            {
                // Another process's sandboxes are that one's.
                await (database.Log.IsOwner ? work(stopping) : Task.CompletedTask);
            }
            catch (Exception exception) when (!stopping.IsCancellationRequested)
            {
                // The next time tries again.
                LogFailed(exception);
            }
        }
    }

    private Task Rest(CancellationToken cancellationToken)
    {
        // Said once, and when the server is up: making the store takes a moment.
        if (!_hasLooked && !sandboxes.HasDisks)
        {
            LogNoDisks(sandboxes.DiskLack);
        }

        _hasLooked = true;
        return sandboxes.Rest(cancellationToken);
    }

    private async Task Sweep(CancellationToken cancellationToken)
    {
        var before = clock.GetUtcNow() - options.Retention;
        var deleted = 0;
        var mounted = new HashSet<string>(StringComparer.Ordinal);
        foreach (var id in sandboxes.Sessions)
        {
            var record = await store.Find(id, cancellationToken);
            if (deleted < DeletionsMax && record is { Status: SessionStatus.Idle or SessionStatus.Terminated }
                && record.State.SavedAt < before)
            {
                await sandboxes.Destroy(id, cancellationToken);
                LogExpired(id);
                deleted++;
            }
            else
            {
                mounted.UnionWith(skills.KeysOf(record?.Definition.Skills ?? []));
            }
        }

        await sandboxes.Reap(
            async id => await store.Exists(id, cancellationToken), StrangerAge, cancellationToken);
        await skills.Collect(mounted, StrangerAge, cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "Sandboxes that rest were not all looked after")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(
        LogLevel.Warning, "Sessions have no disks of their own, so that nothing bounds their files: {Reason}")]
    private partial void LogNoDisks(string? reason);

    [LoggerMessage(LogLevel.Information, "The files of {SessionId} were deleted, for it has rested too long")]
    private partial void LogExpired(string sessionId);
}
