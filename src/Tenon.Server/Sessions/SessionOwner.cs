using System.Diagnostics.CodeAnalysis;
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
[SuppressMessage("Design", "CA1001", Justification = "RunTurn disposes the turn it was given.")]
public sealed partial class SessionOwner
{
    private readonly SessionServices _services;
    private readonly ISessionHost _host;
    private readonly ILogger _logger;
    private readonly SessionLog _log;

    private readonly CancellationToken _stopping;

    private SessionRecord? _record;
    private Turn? _turn;

    // Stops the turn without a word in the log: the server stops and the next owner goes on, or the session is killed.
    // It lives as long as the turn, for there are many owners without one.
    private CancellationTokenSource? _stop;

    private Task _running = Task.CompletedTask;
    private bool _takesOver;

    // The session is killed, or what is in memory is ahead of the log: nothing starts any more.
    private bool _isOver;

    /// <param name="stopping">The server stops: the turn is left as it stands.</param>
    public SessionOwner(
        SessionRecord record, SessionServices services, ISessionHost host, ILogger logger, CancellationToken stopping)
    {
        (_record, _services, _host, _logger, _stopping) = (record, services, host, logger, stopping);
        _log = new SessionLog(services.Log, record.Id, record.ThreadId, services.Ids, services.Clock)
        {
            Prices = services.Prices,
            Budget = record.Definition.Budget,
            IsSelfHosted = record.Definition.IsSelfHosted,
            Row = Row,
        };
    }

    /// <summary>Learns what the log says. Nothing else may be asked of an owner before it has.</summary>
    public async Task Load(CancellationToken cancellationToken)
    {
        await _log.Load(cancellationToken);
        _takesOver = _log.History.Status is SessionStatus.Running or SessionStatus.Rescheduling;
    }

    /// <summary>Goes on with whatever the log says is unfinished.</summary>
    public void Wake() => StartTurn();

    /// <summary>
    /// An append of its own failed: nothing starts any more, and a turn that runs is left as the log has it.
    /// </summary>
    public void Abandon()
    {
        _isOver = true;
        _stop?.Cancel();
    }

    /// <summary>Completes when nothing runs any more.</summary>
    public async Task Leave()
    {
        await _running;
        await _keeping;
    }

    /// <summary>Accepts client events, all or none. The wire JSON of the echoed events.</summary>
    /// <exception cref="ApiException">The batch was refused, and nothing was changed.</exception>
    public async Task<string> Send(IReadOnlyList<SessionEvent> events)
    {
        RefuseArchived();
        BudgetRules.CheckEvents(events, _log);
        SessionInput.Check(events, _log.History, _log.ThreadId);
        if (Turn.IsPaused(_log))
        {
            // Nothing runs that an interrupt could stop: it is accepted and leaves no trace.
            events = [.. events.Where(@event => @event is not UserInterrupt)];
            if (events.Count == 0)
            {
                return JsonSerializer.Serialize(new Page<JsonElement> { Data = [] }, WireJson.Default.PageJsonElement);
            }
        }

        var entries = Accept(events);
        var durable = _log.Append(entries);
        if (entries.Any(entry => entry is Waiting { Event: UserInterrupt }))
        {
            _turn?.Interrupt();
        }

        // The model may be asked while the message is being flushed: a request is harmless to repeat, and nothing of
        // the answer is shown, or acted on, before all that stands before it is durable.
        StartTurn();
        await durable;
        var echoed = entries.Select(entry => entry is Waiting waiting ? waiting.Event : entry).OfType<SessionEvent>()
            .Where(@event => @event.Type.StartsWith("user.", StringComparison.Ordinal) || @event is SystemMessage)
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
            var resumes = changed.Budget.IsGiven && Turn.HasPausedWork(_log.History);
            var durable = _log.Append(
                resumes ? [changed, .. Turn.Running(next.Agent, _log)] : [changed], SaveKind.Definition);
            StartTurn();
            await durable;
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
        await _log.Append([], SaveKind.Definition);
        return touched;
    }

    /// <summary>Makes these its files, also in a sandbox that lives.</summary>
    public async Task Keep(IReadOnlyList<FileResource> resources)
    {
        var record = Record();
        _record = record with { Definition = record.Definition with { Resources = resources } };
        await _log.Append([], SaveKind.Definition);
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
            await _log.Append(Turn.Terminated(record.Definition.Agent, _log));
        }

        await _services.Sandboxes.Stop(record.Id, CancellationToken.None);
        await _services.Mcp.Close(record.Id);
        return Wire();
    }

    /// <summary>Stops what the session does, at once and for good. The session's wire JSON.</summary>
    public async Task<string> Kill()
    {
        var record = Record();
        if (record.ArchivedAt is null)
        {
            _isOver = true;
            await (_stop?.CancelAsync() ?? Task.CompletedTask);
            await _services.Sandboxes.Stop(record.Id, CancellationToken.None);
            await _services.Mcp.Close(record.Id);
            await _running;
            var agent = record.Definition.Agent;
            _record = Record() with { ArchivedAt = _services.Clock.GetUtcNow() };
            await _log.Append([.. Turn.Closing(agent, _log), .. Turn.Terminated(agent, _log)]);
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
        await _log.Append([new SessionDeleted()], SaveKind.Definition, purge: true);
        _record = null;
        _host.Drop();
        await _services.Sandboxes.Destroy(record.Id, CancellationToken.None);
        await _services.Mcp.Close(record.Id);
        return JsonSerializer.Serialize(
            new Deleted { Id = record.Id, Type = "session_deleted" }, WireJson.Default.Deleted);
    }

    private void StartTurn()
    {
        if (_record is null || _turn is not null || IsEnding || !Turn.IsDue(_log.History))
        {
            return;
        }

        var agent = _record.Definition.Agent;
        var tools = new ToolRunner(
            _services.Sandboxes, _services.Web, _services.Mcp, _services.KeepMedia, _record.Id)
        {
            SaveMemories = _record.Definition.Memories.Count > 0 ? _services.SaveMemories : null,
        };
        _turn = new Turn(agent, _log, _services.Model, tools, _services.Feed, _services.Limits, _services.Clock)
        {
            IsTakenOver = _takesOver,
            Notes = SessionNotes.Of(_record.Definition),
        };
        _takesOver = false;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
        _running = RunTurn(_turn, _stop);
    }

    private bool IsEnding => _isOver || _stopping.IsCancellationRequested;

    private async Task RunTurn(Turn turn, CancellationTokenSource stop)
    {
        // A turn may outlast the time after which an owner without requests is let go.
        _host.Hold();
        try
        {
            await RunOrFail(turn, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The log says where the next owner goes on, or that there is nothing to go on with.
        }
        catch (Exception exception)
        {
            // Another owner, or a log that takes nothing. What is in memory is worth nothing now; the next owner folds
            // the log and goes on from there.
            LogFailed(_log.SessionId, exception);
            _isOver = true;
            _host.Lose(exception);
        }
        finally
        {
            (_turn, _stop, _running) = (null, null, Task.CompletedTask);
            turn.Dispose();
            stop.Dispose();
            _host.Release();
        }

        // Input that came while the last entries were being flushed has found no turn to start.
        StartTurn();
        KeepFiles();
    }

    private async Task RunOrFail(Turn turn, CancellationToken stop)
    {
        try
        {
            await turn.Run(stop);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested
            && exception is not (SequenceConflictException or LogUnavailableException)
            && !DatabaseFault.IsOutage(exception))
        {
            LogFailed(_log.SessionId, exception);
            await turn.Fail();
        }
    }

    // The definition is the large part of a row, and changes rarely.
    private SessionRow Row(History history, DateTimeOffset now, SaveKind save)
    {
        _record = Record().After(history, now, _services.Prices);
        return _record.ToRow(save == SaveKind.State ? "" : _record.Definition.ToJson());
    }

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
