using Tenon.Server.Egress;
using Tenon.Server.Events;
using Tenon.Server.Files;
using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;
using Tenon.Server.Skills;
using Tenon.Server.Storage;
using Tenon.Server.Vaults;

namespace Tenon.Server.Sessions;

/// <summary>
/// Follows the database from the start on, before the first request is taken: brings it up to date, and whenever the
/// sessions are this process's, wakes every one that its log leaves at work, so that what a crash or an outage cut
/// short goes on by itself. What other processes append wakes the streams here.
/// </summary>
public sealed partial class SessionWaker(
    IDatabase database, SessionStore store, FileStore files, SkillStore skills, MemoryStore memories,
    EgressStore egress, EgressProxy proxy, SandboxProvider sandboxes, IGrainFactory grains, Feed feed,
    VaultKeyCheck vaultKeys, RepositoryTokenStore repositoryTokens, IHostApplicationLifetime lifetime,
    ILogger<SessionWaker> logger)
    : IHostedLifecycleService, IAsyncDisposable
{
    /// <summary>
    /// Sessions that are woken at the same time. Each reads its log, which takes a processor; more at once would only
    /// keep requests waiting behind them.
    /// </summary>
    private const int WakesMax = 8;

    private readonly CancellationTokenSource _stop = new();

    // Completes when it is known whether the sessions are this process's.
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Task _migrating = Task.CompletedTask;
    private Task _following = Task.CompletedTask;
    private bool _owned;
    private bool _away;

    /// <summary>Another process has taken the sessions over, so this one has stopped.</summary>
    public bool IsSuperseded { get; private set; }

    /// <summary>The database is brought up to date while the silo starts, which takes as long and needs no database.
    /// </summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _migrating = Task.Run(database.Migrate, cancellationToken);
        return Task.CompletedTask;
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _migrating;
        await vaultKeys.Run(cancellationToken);
        _following = database.Follow(Hear, _stop.Token);
        await (await Task.WhenAny(_known.Task, _following).WaitAsync(cancellationToken));
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // The sessions stay this process's until their owners have stopped, which is after this.
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task Hear(DatabaseNews news)
    {
        switch (news)
        {
            case Appended appended:
                foreach (var session in appended.Sessions)
                {
                    feed.Wake(session);
                }

                break;
            case Connected:
                _away = false;
                feed.WakeAll();
                await proxy.Recheck(_stop.Token);
                break;
            case EnvironmentsChanged:
                await proxy.Recheck(_stop.Token);
                break;
            case Owned:
                await TakeOver(_stop.Token);
                break;
            case Standby:
                LogStandby();
                _known.TrySetResult();
                break;
            case Superseded:
                IsSuperseded = true;
                LogSuperseded();
                lifetime.StopApplication();
                break;
            case Disconnected disconnected when !_away:
                _away = true;
                LogAway(disconnected.Cause);
                _known.TrySetException(disconnected.Cause);
                break;
        }
    }

    private async Task TakeOver(CancellationToken cancellationToken)
    {
        if (!_owned)
        {
            await store.SweepDeleted(cancellationToken);
            await skills.Sweep(cancellationToken);
            await files.Sweep(cancellationToken);
            await egress.Sweep(cancellationToken);
            await repositoryTokens.Sweep(cancellationToken);
            await memories.Sweep(cancellationToken);
            await sandboxes.Reap(async id => await store.Exists(id, cancellationToken), cancellationToken);
            _owned = true;
        }

        // Requests are taken from here on. Who sends to a session wakes it; twice is harmless.
        var unfinished = await store.ListUnfinished(cancellationToken);
        _known.TrySetResult();
        await Parallel.ForEachAsync(
            unfinished,
            new ParallelOptions { MaxDegreeOfParallelism = WakesMax, CancellationToken = cancellationToken },
            async (id, _) => await grains.GetGrain<ISessionGrain>(id).Wake());

        if (unfinished.Count > 0)
        {
            LogWoken(unfinished.Count);
        }
    }

    [LoggerMessage(LogLevel.Information, "Woke {Count} sessions that were left at work")]
    private partial void LogWoken(int count);

    [LoggerMessage(LogLevel.Information, "Another process runs the sessions of this database; this one stands by")]
    private partial void LogStandby();

    [LoggerMessage(LogLevel.Error, "Another process has taken over the sessions of this database; this one stopped")]
    private partial void LogSuperseded();

    [LoggerMessage(LogLevel.Warning, "The database went away and is waited for")]
    private partial void LogAway(Exception exception);
}
