using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Sessions;

/// <summary>
/// Looks at a session's memory when its sandbox says that something there has changed, and when somebody else has
/// changed one of its stores: another session, a client, or another process on the database. So a change is a version
/// within a second, and a file of all others that live within another.
/// </summary>
/// <remarks>
/// Words may be lost, with a connection or a crash: every second the stores of sessions that live are compared with
/// what was last heard of them, and a call looks when it has ended.
/// </remarks>
public sealed partial class MemoryWatch : IHostedService, IDisposable
{
    /// <summary>One small query, and none while no session that lives has a store.</summary>
    private static readonly TimeSpan CompareEvery = TimeSpan.FromSeconds(1);

    private readonly SandboxProvider _sandboxes;
    private readonly MemoryStore _store;
    private readonly SessionMemories _memories;
    private readonly TimeProvider _clock;
    private readonly ILogger<MemoryWatch> _logger;
    private readonly Looks _looks;
    private readonly CancellationTokenSource _stop = new();
    private Task _comparing = Task.CompletedTask;

    public MemoryWatch(
        SandboxProvider sandboxes, MemoryStore store, SessionMemories memories, TimeProvider clock,
        ILogger<MemoryWatch> logger)
    {
        (_sandboxes, _store, _memories, _clock, _logger) = (sandboxes, store, memories, clock, logger);
        _looks = new Looks(memories.Look, LogFailed, clock);
    }

    // Before the sandboxes of an earlier server are found again, which says so.
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _looks.Start(_stop.Token);
        _sandboxes.MemoryWritten += _looks.Hear;
        _store.Changed += HearOf;
        _comparing = Compare();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _sandboxes.MemoryWritten -= _looks.Hear;
        _store.Changed -= HearOf;
        await _stop.CancelAsync();
        await _comparing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // What is under way ends before the database does.
        await _looks.Ended();
    }

    public void Dispose()
    {
        _looks.Dispose();
        _stop.Dispose();
    }

    private void HearOf(string storeId)
    {
        foreach (var sessionId in _memories.Having(storeId))
        {
            _looks.Hear(sessionId);
        }
    }

    private async Task Compare()
    {
        using var timer = new PeriodicTimer(CompareEvery, _clock);
        IReadOnlyDictionary<string, long> seen = new Dictionary<string, long>();
        while (await timer.WaitForNextTickAsync(_stop.Token))
        {
            try
            {
                var stores = _memories.Stores;
                var now = stores.Count == 0
                    ? new Dictionary<string, long>() : await _store.Revisions(stores, _stop.Token);
                foreach (var storeId in stores.Where(
                    id => now.GetValueOrDefault(id, -1) != seen.GetValueOrDefault(id, -1)))
                {
                    HearOf(storeId);
                }

                seen = now;
            }
            catch (Exception exception) when (!_stop.IsCancellationRequested)
            {
                // The database is away; the next time compares with what was last seen.
                LogNotCompared(exception);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "The memory of {SessionId} was not looked at")]
    private partial void LogFailed(string sessionId, Exception exception);

    [LoggerMessage(LogLevel.Warning, "Memory stores were not compared with what sessions have of them")]
    private partial void LogNotCompared(Exception exception);
}
