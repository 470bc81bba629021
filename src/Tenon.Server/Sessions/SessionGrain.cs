using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Tenon.Server.Agents;
using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Server.Tools;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// A session's owner: a thin shell around its log. It accepts input, runs the turn as a task beside its requests (on
/// its own scheduler, so nothing here is touched by two threads), and forgets everything when it is idle for long.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "RunTurn disposes the turn it was given.")]
public sealed partial class SessionGrain(
    SessionStore store, EventLog log, Feed feed, IModel model, ISandboxProvider sandboxes, Limits limits,
    Prices prices, IdSource ids, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<SessionGrain> logger)
    : Grain, ISessionGrain
{
    private SessionRecord? _record;
    private SessionLog _log = null!;
    private Turn? _turn;
    private Task _running = Task.CompletedTask;
    private bool _takesOver;

    // An append failed: what is in memory is ahead of the log, so no turn may start from it.
    private bool _isStale;

    // Stops the turn without a word in the log: the server stops and the next owner goes on, or the session is killed.
    private readonly CancellationTokenSource _stop =
        CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStopping);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var id = this.GetPrimaryKeyString();
        _record = await store.Find(id, cancellationToken);
        if (_record is not null)
        {
            _log = new SessionLog(log, id, _record.ThreadId, ids, clock)
            {
                Prices = prices,
                Budget = _record.Definition.Budget,
                Row = (history, now) => (_record = _record.After(history, now, prices)).ToRow(),
            };
            await _log.Load(cancellationToken);
            _takesOver = _log.History.Status is SessionStatus.Running or SessionStatus.Rescheduling;
        }
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await _running;
        _stop.Dispose();
    }

    public Task Wake()
    {
        StartTurn();
        return Task.CompletedTask;
    }

    public Task<Answer> Send(string body) => Try(async () =>
    {
        var events = JsonSerializer.Deserialize(body, WireJson.Default.EventsSend)!.Events;
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
        var echoed = entries.Select(entry => entry is Waiting waiting ? waiting.Event : (SessionEvent)entry)
            .Where(@event => @event.Type.StartsWith("user.", StringComparison.Ordinal) || @event is SystemMessage)
            .Select(@event => JsonSerializer.SerializeToElement(@event, WireJson.Default.SessionEvent));
        return JsonSerializer.Serialize(new Page<JsonElement> { Data = [.. echoed] }, WireJson.Default.PageJsonElement);
    });

    public Task<Answer> Update(string body) => Try(async () =>
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
    });

    public Task<Answer> Archive() => Try(async () =>
    {
        var record = Record();
        RefuseRunning("archived");
        if (record.ArchivedAt is null)
        {
            _record = record with { ArchivedAt = clock.GetUtcNow() };
            await _log.Append(new SessionStatusTerminated());
        }

        return Wire();
    });

    public Task<Answer> Kill() => Try(async () =>
    {
        var record = Record();
        if (record.ArchivedAt is null)
        {
            await _stop.CancelAsync();
            await sandboxes.Stop(record.Id, CancellationToken.None);
            await _running;
            var agent = record.Definition.Agent;
            _record = Record() with { ArchivedAt = clock.GetUtcNow() };
            await _log.Append([.. Turn.Closing(agent, _log), new SessionStatusTerminated()]);
        }

        return Wire();
    });

    public Task<Answer> Delete() => Try(async () =>
    {
        var record = Record();
        RefuseRunning("deleted");

        // The row outlives the session until streams have seen the last event; what it was told does not.
        _record = record with { Definition = new SessionDefinition { Agent = record.Definition.Agent
            with { System = null, Tools = [] } } };
        await _log.Append([new SessionDeleted()], SaveKind.Definition, purge: true);
        _record = null;
        DeactivateOnIdle();
        await sandboxes.Destroy(record.Id, CancellationToken.None);
        return JsonSerializer.Serialize(
            new Deleted { Id = record.Id, Type = "session_deleted" }, WireJson.Default.Deleted);
    });

    /// <summary>
    /// The entries that accept a batch. What can take effect at once does; the rest waits in the log. The ids and the
    /// times that clients get back are those that are stored.
    /// </summary>
    private List<object> Accept(IReadOnlyList<SessionEvent> events)
    {
        var history = _log.History;
        var idle = history.Status == SessionStatus.Idle;
        var blocked = history.Round.Count > 0;
        var answered = events.Select(Answered).ToHashSet();

        // What the application says about results is for the same request to the model as the results themselves.
        var resolves = history.Round.All(call => !call.IsOpen || (call.IsCustom && answered.Contains(call.Id)));
        var entries = new List<object>();
        foreach (var @event in events.Select(@event => @event with { Id = _log.NextId(), ProcessedAt = null }))
        {
            var takesEffect = @event is UserToolConfirmation or UserCustomToolResult
                || (idle && (!blocked || (@event is SystemMessage && resolves)));
            entries.Add(takesEffect ? _log.Stamp(@event) : new Waiting(@event));
        }

        if (!idle || !entries.Any(entry => entry is not (Waiting or UserInterrupt)))
        {
            return entries;
        }

        var remaining = history.Round.Where(call => call.WaitsForClient && !answered.Contains(call.Id)).ToList();
        entries.AddRange(remaining.Count == 0
            ? Turn.Running(Record().Definition.Agent, _log)
            : Turn.Idle(
                Record().Definition.Agent, _log, StopReason.RequiresAction(remaining.ConvertAll(call => call.Id))));
        return entries;
    }

    private static string? Answered(SessionEvent @event) => @event switch
    {
        UserToolConfirmation confirmation => confirmation.ToolUseId,
        UserCustomToolResult result => result.CustomToolUseId,
        _ => null,
    };

    private void StartTurn()
    {
        if (_record is null || _turn is not null || _isStale || _stop.IsCancellationRequested
            || !Turn.IsDue(_log.History))
        {
            return;
        }

        var agent = _record.Definition.Agent;
        _turn = new Turn(
            agent, _log, model, new ToolRunner(sandboxes, _record.Id), feed, limits, clock)
        {
            IsTakenOver = _takesOver,
        };
        _takesOver = false;
        _running = RunTurn(_turn);
    }

    private async Task RunTurn(Turn turn)
    {
        // A turn may outlast the time after which an owner without requests is let go.
        DelayDeactivation(Timeout.InfiniteTimeSpan);
        try
        {
            await turn.Run(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The log says where the next owner goes on, or that there is nothing to go on with.
        }
        catch (SequenceConflictException exception)
        {
            _isStale = true;
            LogLost(this.GetPrimaryKeyString(), exception);
            DeactivateOnIdle();
        }
        catch (Exception exception)
        {
            // A fault of ours, or a log that takes nothing. The next owner folds the log and goes on from there.
            _isStale = true;
            LogFailed(this.GetPrimaryKeyString(), exception);
            DeactivateOnIdle();
        }
        finally
        {
            _turn = null;
            turn.Dispose();
            DelayDeactivation(TimeSpan.Zero);
        }

        // Input that came while the last entries were being flushed has found no turn to start.
        StartTurn();
    }

    private async Task<Answer> Try(Func<Task<string>> act)
    {
        try
        {
            log.RefuseStandby();
            return new Answer(await act(), null);
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
            // What is in memory is ahead of the log: drop it and read the log again at the next request.
            _isStale = true;
            LogLost(this.GetPrimaryKeyString(), exception);
            DeactivateOnIdle();
            return new Answer("", new Refusal(
                529, ErrorTypes.Overloaded, "The event log did not confirm this; try again.", null));
        }
    }

    private SessionRecord Record() =>
        _record ?? throw ApiException.NotFound("Session", this.GetPrimaryKeyString());

    private string Wire() => JsonSerializer.Serialize(Record().ToWire(clock.GetUtcNow()), WireJson.Default.Session);

    private void RefuseArchived()
    {
        if (Record().ArchivedAt is not null)
        {
            throw ApiException.Conflict($"Session '{Record().Id}' is archived and takes no more events or changes.");
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

    [LoggerMessage(LogLevel.Warning, "{SessionId} was dropped and will be read again from its log")]
    private partial void LogLost(string sessionId, Exception exception);

    [LoggerMessage(LogLevel.Error, "The turn of {SessionId} failed")]
    private partial void LogFailed(string sessionId, Exception exception);
}
