using System.Text.Json;
using Tenon.Server.Egress;
using Tenon.Server.Events;
using Tenon.Server.Http;
using Tenon.Server.Memory;
using Tenon.Server.Skills;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>Where a session's owner lives: one place in the cluster, on one scheduler. It decides nothing.</summary>
public sealed partial class SessionGrain(
    SessionStore store, SessionServices services, SessionFileRules files, FileSourceRules sources,
    OutcomeRules rubrics, SessionOutputs outputs, SessionRepositories repositories, SkillStore skills,
    MemoryStore memories, EgressStore egress,
    IDatabase database, IHostApplicationLifetime lifetime, ILogger<SessionGrain> logger)
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

    public Task Settle() => _owner?.Settle() ?? Task.CompletedTask;

    public Task<Answer> Send(string body) => Try(async owner =>
    {
        var events = JsonSerializer.Deserialize(body, WireJson.Default.EventsSend)!.Events;
        owner.RefuseArchived();
        await sources.Check("events", events, CancellationToken.None);
        return await owner.Send(await rubrics.Resolve("events", events, CancellationToken.None));
    });

    public Task<Answer> Update(string body) => Try(owner => owner.Update(body));

    public Task<Answer> Archive() => Try(owner => owner.Archive());

    public Task<Answer> ArchiveThread(string threadId) => Try(owner => owner.ArchiveThread(threadId));

    public Task<Answer> Kill() => Try(owner => owner.Kill());

    public Task<Answer> Delete() => Try(async owner =>
    {
        var deleted = await owner.Delete();
        await outputs.DeleteFiles(this.GetPrimaryKeyString(), CancellationToken.None);
        await skills.Release(this.GetPrimaryKeyString(), CancellationToken.None);
        await egress.DeleteSession(this.GetPrimaryKeyString(), CancellationToken.None);
        await repositories.DeleteSession(this.GetPrimaryKeyString());
        await memories.Detach(this.GetPrimaryKeyString(), CancellationToken.None);
        return deleted;
    });

    public Task<Answer> AddResource(string body) => Try(async owner =>
    {
        var asked = JsonSerializer.Deserialize(body, WireJson.Default.ResourceCreate)!;
        owner.RefuseArchived();
        owner.RefuseMounts();
        var added = await files.Attach(
            this.GetPrimaryKeyString(), [asked], owner.Resources, (_, field) => field, CancellationToken.None);
        await owner.Keep([.. owner.Resources, .. added]);
        return JsonSerializer.Serialize(added[0], WireJson.Default.SessionResource);
    });

    public Task<Answer> UpdateResource(string resourceId, string body) => Try(async owner =>
    {
        var token = JsonSerializer.Deserialize(body, WireJson.Default.ResourceUpdate)!.AuthorizationToken;
        owner.RefuseArchived();
        var repository = owner.Repositories.FirstOrDefault(resource => resource.Id == resourceId)
            ?? throw (owner.Resources.Any(resource => resource.Id == resourceId)
                ? ApiException.Invalid("authorization_token", "only github_repository resources have a token.")
                : ApiException.NotFound("Resource", resourceId));
        await repositories.ReplaceToken(this.GetPrimaryKeyString(), resourceId, token);
        return JsonSerializer.Serialize<SessionResource>(
            await owner.Touch(repository), WireJson.Default.SessionResource);
    });

    public Task<Answer> DeleteResource(string resourceId) => Try(async owner =>
    {
        var removed = owner.Resources.Where(resource => resource.Id == resourceId).ToList();
        if (removed.Count == 0)
        {
            throw owner.Repositories.Any(resource => resource.Id == resourceId)
                ? ApiException.Invalid("", "A repository stays attached for the session's life.")
                : ApiException.NotFound("Resource", resourceId);
        }

        owner.RefuseArchived();
        await owner.Keep([.. owner.Resources.Except(removed)]);
        await files.Detach(removed, CancellationToken.None);
        return JsonSerializer.Serialize(
            new Deleted { Id = resourceId, Type = "session_resource_deleted" }, WireJson.Default.Deleted);
    });

    // A turn may outlast the time after which an owner without requests is let go.
    public void Hold() => DelayDeactivation(Timeout.InfiniteTimeSpan);

    public void Release()
    {
        DelayDeactivation(TimeSpan.Zero);
        if (_owner!.HasSandbox)
        {
            _ = LookForOutputs();
        }
    }

    public void Drop() => DeactivateOnIdle();

    // In this order: whoever hears the report calls a grain of this name, and must find the next owner.
    public void Lose(Exception cause)
    {
        DeactivateOnIdle();
        database.Report(cause);
    }

    private async Task LookForOutputs()
    {
        try
        {
            await outputs.Refresh(this.GetPrimaryKeyString(), lifetime.ApplicationStopping);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // They are found when they are listed.
        }
        catch (Exception exception)
        {
            // They are looked for again when they are listed, and whoever asks then learns what is wrong.
            LogOutputs(this.GetPrimaryKeyString(), exception);
        }
    }

    private async Task<Answer> Try(Func<SessionOwner, Task<string>> act)
    {
        try
        {
            services.Log.RefuseStandby();
            return _owner is null
                ? throw ApiException.NotFound("Session", this.GetPrimaryKeyString())
                : new Answer(await act(_owner), null);
        }
        catch (NotOwnerException)
        {
            // What was read of the log is past once the owner has written more.
            DeactivateOnIdle();
            return new Answer("", Refusal.Standby);
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
            // What is in memory is ahead of the log: the next owner reads it again.
            LogLost(this.GetPrimaryKeyString(), exception);
            _owner?.Abandon();
            Lose(exception);
            var (status, type) = DatabaseFault.IsDamage(exception)
                ? (500, ErrorTypes.Api) : (529, ErrorTypes.Overloaded);
            return new Answer("", new Refusal(status, type, "The event log did not confirm this. "
                + (DiskTrouble.Of(exception)?.Message ?? "Read the session's events, and try again."), null));
        }
    }

    [LoggerMessage(LogLevel.Warning, "{SessionId} was dropped and will be read again from its log")]
    private partial void LogLost(string sessionId, Exception exception);

    [LoggerMessage(LogLevel.Warning, "The outputs of {SessionId} were not looked at")]
    private partial void LogOutputs(string sessionId, Exception exception);
}
