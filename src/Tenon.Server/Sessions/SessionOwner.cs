using System.Text.Json;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Storage;
using Tenon.Server.Tools;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// Who a session belongs to at this moment: it accepts input and runs the turn as a task beside it. Everything that it
/// knows is in the log, so it may vanish at any time and another one goes on.
/// </summary>
/// <remarks>
/// Not thread-safe: all calls and continuations must run on one scheduler, one at a time, as those of a grain do.
/// After a <see cref="SequenceConflictException"/> or a <see cref="LogUnavailableException"/> what is in memory is
/// ahead of the log, and the owner must be dropped.
/// </remarks>
public sealed partial class SessionOwner
{
    private readonly SessionServices _services;
    private readonly ISessionHost _host;
    private readonly ILogger _logger;
    private readonly SessionLog _log;

    private readonly CancellationToken _stopping;

    private SessionRecord? _record;

    // The session is killed, or what is in memory is ahead of the log: nothing starts any more.
    private bool _isOver;

    /// <param name="stopping">The server stops: the turn is left as it stands.</param>
    public SessionOwner(
        SessionRecord record, SessionServices services, ISessionHost host, ILogger logger, CancellationToken stopping)
    {
        (_record, _services, _host, _logger, _stopping) = (record, services, host, logger, stopping);
        _log = new SessionLog(services.Log, record.Id, record.ThreadId, services.Ids, services.Clock)
        {
            Agent = () => Record().Definition.Agent,
            Prices = services.Prices,
            Budget = record.Definition.Budget,
            IsSelfHosted = record.Definition.IsSelfHosted,
            Row = Row,
            Woken = StartTurns,
        };
    }

    /// <summary>Learns what the log says. Nothing else may be asked of an owner before it has.</summary>
    public async Task Load(CancellationToken cancellationToken)
    {
        await _log.Load(cancellationToken);
        _inherited = _log.Threads.Where(thread => SessionStatus.IsActive(thread.History.Status)).ToHashSet();
    }

    /// <summary>Goes on with whatever the log says is unfinished.</summary>
    public void Wake() => StartTurns();

    /// <summary>
    /// An append of its own failed: nothing starts any more, and a turn that runs is left as the log has it.
    /// </summary>
    public void Abandon()
    {
        _isOver = true;
        StopTurns();
    }

    /// <summary>Completes when nothing runs any more.</summary>
    public async Task Leave()
    {
        await WhenStill();
        await _keeping;
        _isOver = true;
        EndWatches();
    }

    /// <summary>Accepts client events, all or none. The wire JSON of the echoed events.</summary>
    /// <exception cref="ApiException">The batch was refused, and nothing was changed.</exception>
    public async Task<string> Send(IReadOnlyList<SessionEvent> events)
    {
        RefuseArchived();
        BudgetRules.CheckEvents(events, _log);
        SessionInput.Check(events, _log);
        if (Turn.IsPaused(_log) && _log.History.Outcomes.Active is null)
        {
            // Nothing runs that an interrupt could stop: it is accepted and leaves no trace.
            events = [.. events.Where(@event => @event is not UserInterrupt)];
            if (events.Count == 0)
            {
                return JsonSerializer.Serialize(new Page<JsonElement> { Data = [] }, WireJson.Default.PageJsonElement);
            }
        }

        var accepted = Accept(events);
        // The model may be asked while the message is being flushed: a request is harmless to repeat, and nothing of
        // the answer is shown, or acted on, before all that stands before it is durable.
        var durable = _log.Append([.. accepted.Entries, .. accepted.Ends]);
        Interrupt(accepted.Interrupted);
        StartTurns();
        await durable;
        var echoed = accepted.Echoed
            .Select(@event => JsonSerializer.SerializeToElement(@event, WireJson.Default.SessionEvent));
        return JsonSerializer.Serialize(new Page<JsonElement> { Data = [.. echoed] }, WireJson.Default.PageJsonElement);
    }

    /// <summary>Changes title, metadata, tools or budget. The session's wire JSON.</summary>
    /// <exception cref="ApiException">The change was refused.</exception>
    public async Task<string> Update(string body)
    {
        var update = JsonSerializer.Deserialize(body, WireJson.Default.SessionUpdate)!;
        RefuseArchived();
        var record = Record();
        var next = SessionUpdates.Apply(record.Definition, update, isIdle: _log.History.Status == SessionStatus.Idle)
            with { Budget = BudgetRules.Change(update.Budget, _log) };
        if (SessionUpdates.Changes(record.Definition, next) is { } changed)
        {
            _record = record with { Definition = next };

            // The budget and what it held back go on together, or a crash between them would leave the session idle.
            var resumed = _log.Threads.Where(thread =>
                changed.Budget.IsGiven && Turn.HasPausedWork(thread.History)).ToList();
            await _log.Append(
                _log.Primary,
                [changed, .. resumed.SelectMany(On(Turn.Running))],
                SaveKind.Definition);
        }

        return Wire();
    }

    /// <summary>Whether a call has ever been sent to a sandbox.</summary>
    public bool HasSandbox => _log.History.SandboxInstance is not null;

    /// <summary>The files that are mounted in its sandbox.</summary>
    public IReadOnlyList<FileResource> Resources => Record().Definition.Resources;

    public IReadOnlyList<RepositoryResource> Repositories => Record().Definition.Repositories;

    /// <summary>Notes that something of a repository has changed which is not shown.</summary>
    public async Task<RepositoryResource> Touch(RepositoryResource repository)
    {
        var record = Record();
        var touched = repository with { UpdatedAt = _services.Clock.GetUtcNow() };
        _record = record with
        {
            Definition = record.Definition with
            {
                Repositories = [.. record.Definition.Repositories.Select(one => one == repository ? touched : one)],
            },
        };
        await _log.Append(_log.Primary, [], SaveKind.Definition);
        return touched;
    }

    /// <summary>Makes these its files, also in a sandbox that lives.</summary>
    public async Task Keep(IReadOnlyList<FileResource> resources)
    {
        var record = Record();
        _record = record with { Definition = record.Definition with { Resources = resources } };
        await _log.Append(_log.Primary, [], SaveKind.Definition);
        await _services.Sandboxes.PlaceUploads(record.Id, CancellationToken.None);
    }

    /// <summary>Ends the session; its history stays. The session's wire JSON.</summary>
    /// <exception cref="ApiException">It is at work.</exception>
    public async Task<string> Archive()
    {
        var record = Record();
        RefuseRunning("archived");
        if (record.ArchivedAt is null)
        {
            _record = record with { ArchivedAt = _services.Clock.GetUtcNow() };
            await _log.Append(Terminated());
        }

        await _services.Sandboxes.Stop(record.Id, CancellationToken.None);
        await _services.Mcp.Close(record.Id);
        return Wire();
    }

    /// <summary>Ends a thread beside the primary one, which makes room for another. The thread's wire JSON.</summary>
    /// <exception cref="ApiException">It is at work, or it is the primary thread.</exception>
    public async Task<string> ArchiveThread(string threadId)
    {
        var record = Record();
        var thread = _log.Find(threadId) ?? throw ApiException.NotFound("Thread", threadId);
        if (SessionStatus.IsActive(thread.History.Status))
        {
            throw ApiException.Invalid("",
                $"Thread '{threadId}' is {thread.History.Status} and cannot be archived: interrupt it first.");
        }

        if (thread.IsPrimary && record.ArchivedAt is null)
        {
            throw ApiException.Invalid("", $"Thread '{threadId}' is the primary thread, which is archived with its "
                + $"session: POST /v1/sessions/{record.Id}/archive.");
        }

        if (thread.History.Status != SessionStatus.Terminated)
        {
            await thread.Append(
            [
                .. Turn.Closing(thread), .. Turn.Terminated(thread), new Later(() => Turn.AfterThread(_log)),
            ]);
        }

        var now = _services.Clock.GetUtcNow();
        return JsonSerializer.Serialize(_log.Threads.Count == 1 ? Record().ToThread(now)
            : ThreadRecord.Of(thread, now).ToWire(SavedAgent.From(record.Definition.Agent), now),
            WireJson.Default.SessionThread);
    }

    /// <summary>Stops what the session does, at once and for good. The session's wire JSON.</summary>
    public async Task<string> Kill()
    {
        var record = Record();
        if (record.ArchivedAt is null)
        {
            _isOver = true;
            StopTurns();
            await _services.Sandboxes.Stop(record.Id, CancellationToken.None);
            await _services.Mcp.Close(record.Id);
            await WhenStill();
            EndWatches();
            _record = Record() with { ArchivedAt = _services.Clock.GetUtcNow() };
            await _log.Append([.. Open().SelectMany(On(thread => Turn.Closing(thread))), new Later(Terminated)]);
        }

        return Wire();
    }

    /// <summary>Ends the session and removes it with its sandbox. The wire JSON of the deletion.</summary>
    /// <exception cref="ApiException">It is at work.</exception>
    public async Task<string> Delete()
    {
        var record = Record();
        RefuseRunning("deleted");

        // The row outlives the session until streams have seen the last event; what it was told does not.
        _record = record with { Definition = new SessionDefinition { Agent = record.Definition.Agent
            with { System = null, Tools = [] } } };
        await _log.Append(_log.Primary, [new SessionDeleted()], SaveKind.Definition, purge: true);
        _record = null;
        _host.Drop();
        await _services.Sandboxes.Destroy(record.Id, CancellationToken.None);
        await _services.Mcp.Close(record.Id);
        return JsonSerializer.Serialize(
            new Deleted { Id = record.Id, Type = "session_deleted" }, WireJson.Default.Deleted);
    }

    // The definition is the large part of a row, and changes rarely.
    private SessionRow Row(SessionHistory history, DateTimeOffset now, SaveKind save)
    {
        _record = Record().After(history, now, _services.Prices);
        return _record.ToRow(save == SaveKind.State ? "" : _record.Definition.ToJson());
    }

    /// <summary>The entries that end every thread and the session.</summary>
    private IReadOnlyList<object> Terminated() =>
    [
        .. Turn.InterruptOutcome(_log), .. _log.Runs.Open.SelectMany(run => WorkflowSteps.Stop(_log, run)),
        new Later(() => [.. Open().Reverse().SelectMany(On(Turn.Terminated))]), new SessionStatusTerminated(),
    ];

    private IReadOnlyList<ThreadLog> Open() =>
        [.. _log.Threads.Where(thread => thread.History.Status != SessionStatus.Terminated)];

    private static Func<ThreadLog, IEnumerable<object>> On(Func<ThreadLog, IEnumerable<object>> entries) =>
        thread => entries(thread).Select(entry => new On(thread.ThreadId, entry));

    private SessionRecord Record() =>
        _record ?? throw ApiException.NotFound("Session", _log.SessionId);

    private string Wire() =>
        JsonSerializer.Serialize(Record().ToWire(_services.Clock.GetUtcNow()), WireJson.Default.Session);

    /// <exception cref="ApiException">409: it takes nothing any more.</exception>
    public void RefuseArchived()
    {
        if (Record().ArchivedAt is not null)
        {
            throw ApiException.Conflict($"Session '{Record().Id}' is archived and takes no more events or changes.");
        }
    }

    /// <exception cref="ApiException">400: nothing can be mounted in a sandbox of the client's.</exception>
    public void RefuseMounts()
    {
        if (Record().Definition.IsSelfHosted)
        {
            throw SessionRules.NoMounts(Record().EnvironmentId);
        }
    }

    private void RefuseRunning(string what)
    {
        if (_log.History.Status is SessionStatus.Running or SessionStatus.Rescheduling)
        {
            throw ApiException.Invalid("",
                $"Session '{Record().Id}' is {_log.History.Status} and cannot be {what}: interrupt it first.");
        }
    }

    [LoggerMessage(LogLevel.Error, "The turn of {SessionId} was left where it stood")]
    private partial void LogFailed(string sessionId, Exception exception);
}
