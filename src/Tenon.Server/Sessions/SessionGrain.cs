using System.Text.Json;
using Tenon.Server.Events;
using Tenon.Server.Http;
using Tenon.Server.Storage;
using Tenon.Wire.Http;

namespace Tenon.Server.Sessions;

/// <summary>Where a session's owner lives: one place in the cluster, on one scheduler. It decides nothing.</summary>
public sealed partial class SessionGrain(
    SessionStore store, SessionServices services, IHostApplicationLifetime lifetime, ILogger<SessionGrain> logger)
    : Grain, ISessionGrain, ISessionHost
{
    private SessionOwner? _owner;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (await store.Find(this.GetPrimaryKeyString(), cancellationToken) is { } record)
        {
            _owner = new SessionOwner(record, services, this, logger, lifetime.ApplicationStopping);
            await _owner.Load(cancellationToken);
        }
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        _owner?.Leave() ?? Task.CompletedTask;

    public Task Wake()
    {
        _owner?.Wake();
        return Task.CompletedTask;
    }

    public Task<Answer> Send(string body) => Try(owner => owner.Send(body));

    public Task<Answer> Update(string body) => Try(owner => owner.Update(body));

    public Task<Answer> Archive() => Try(owner => owner.Archive());

    public Task<Answer> Kill() => Try(owner => owner.Kill());

    public Task<Answer> Delete() => Try(owner => owner.Delete());

    // A turn may outlast the time after which an owner without requests is let go.
    public void Hold() => DelayDeactivation(Timeout.InfiniteTimeSpan);

    public void Release() => DelayDeactivation(TimeSpan.Zero);

    public void Drop() => DeactivateOnIdle();

    private async Task<Answer> Try(Func<SessionOwner, Task<string>> act)
    {
        try
        {
            return _owner is null
                ? throw ApiException.NotFound("Session", this.GetPrimaryKeyString())
                : new Answer(await act(_owner), null);
        }
        catch (ApiException exception)
        {
            return new Answer("", exception.Refusal);
        }
        catch (JsonException exception)
        {
            return new Answer("", ApiException.Invalid(exception).Refusal);
        }
        catch (Exception exception) when (exception is SequenceConflictException or LogUnavailableException)
        {
            // What is in memory is ahead of the log: drop it and read the log again at the next request.
            LogLost(this.GetPrimaryKeyString(), exception);
            DeactivateOnIdle();
            return new Answer("", new Refusal(
                529, ErrorTypes.Overloaded, "The event log did not take this; nothing was changed. Try again.", null));
        }
    }

    [LoggerMessage(LogLevel.Warning, "{SessionId} was dropped and will be read again from its log")]
    private partial void LogLost(string sessionId, Exception exception);
}
