using Tenon.Server.Harness;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <content>The session's files, kept as they were whenever it came to rest.</content>
public sealed partial class SessionOwner
{
    private Task _keeping = Task.CompletedTask;

    /// <summary>Completes when the files of a session that rests are kept as they are.</summary>
    public Task Settle()
    {
        KeepFiles();
        return _keeping;
    }

    /// <summary>Starts a snapshot when the session rests and its files have been used since the last one.</summary>
    private void KeepFiles()
    {
        if (_keeping.IsCompleted && _turns.Count == 0 && !_isOver && IsKept)
        {
            _keeping = TakeSnapshot(new SnapshotTaken(_services.Ids.Next(SnapshotTaken.IdPrefix), _log.History.Seq));
        }
    }

    private bool IsKept => _record is { ArchivedAt: null }
        && _log.History is { IsSnapshotDue: true, Status: SessionStatus.Idle };

    // A process that dies between the two leaves a snapshot that no entry names; the next one takes its place.
    private async Task TakeSnapshot(SnapshotTaken snapshot)
    {
        try
        {
            var stay = SnapshotThinning.Stay(_log.History.Snapshots);
            if (await _services.Sandboxes.Snapshot(_log.SessionId, snapshot.Id, stay, _stopping)
                && _record is not null && !_isOver)
            {
                await _log.Append(snapshot);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The next idle has another one.
        }
        catch (SandboxException exception)
        {
            // The session goes on without; a fork gets older files.
            LogNotKept(_log.SessionId, exception);
        }
        catch (Exception exception) when (exception is SequenceConflictException or LogUnavailableException
            or NotOwnerException)
        {
            // What is in memory is ahead of the log, as after any append that failed.
            Lose(exception);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The files of {SessionId} were not kept as they are")]
    private partial void LogNotKept(string sessionId, Exception exception);
}
