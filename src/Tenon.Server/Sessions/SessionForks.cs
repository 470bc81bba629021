using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Memory;
using Tenon.Server.Sandboxes;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// Makes a session of another one's history and files. The other one is only read, so it may work meanwhile.
/// </summary>
/// <remarks>
/// The row is <c>deleted</c> until the last append: nobody sees half a fork, and the next start sweeps one that a crash
/// cut short, with its files.
/// </remarks>
public sealed class SessionForks(
    EventLog log, SandboxProvider sandboxes, SessionFileRules files, SessionRepositories repositories,
    SessionSkillRules skills, MemoryStore memories, SandboxStarts starts, IdSource ids, TimeProvider clock,
    Prices prices)
{
    /// <summary>Entries that a fork copies: far above what people talk, and bounds what one request writes.</summary>
    public const int EntriesMax = 200_000;

    /// <summary>Entries read, and appended, at a time.</summary>
    private const int PageMax = 1_000;

    /// <summary>Where a session's history is cut; null when it has no such event.</summary>
    public async Task<Cut?> FindCut(string sessionId, string? eventId, CancellationToken cancellationToken)
    {
        var point = new ForkPoint(eventId);
        await foreach (var entry in Read(sessionId, cancellationToken))
        {
            point.Take(entry);
        }

        return point.IsFound ? new Cut(point.Seq, [.. point.Snapshots.Select(snapshot => snapshot.Id)]) : null;
    }

    /// <summary>The new session.</summary>
    /// <param name="definition">What it is made of, without files.</param>
    /// <exception cref="SandboxException">Its files could not be made; nothing of it is left.</exception>
    public async Task<SessionRecord> Make(
        SessionRecord source, SessionDefinition definition, Cut cut, CancellationToken cancellationToken)
    {
        var id = ids.Next(IdPrefix.Session);
        var made = definition.IsSelfHosted
            ? null : await sandboxes.Fork(source.Id, cut.Snapshots, id, cancellationToken);
        try
        {
            await skills.Keep(id, definition.Skills, cancellationToken);
            var resources = await files.Carry(id, source.Definition.Resources, cancellationToken);
            var cloned = await repositories.Carry(source, id, cancellationToken);
            await memories.Attach(id, definition.Memories.Select(memory => memory.MemoryStoreId), cancellationToken);
            var now = clock.GetUtcNow();
            var record = await Write(source, cut, made, new SessionRecord
            {
                Id = id,
                ThreadId = ids.Next(IdPrefix.Thread),
                CreatedAt = now,
                EnvironmentId = source.EnvironmentId,
                Status = SessionStatus.Idle,
                Definition = definition with { Resources = resources, Repositories = cloned },
                State = new SessionState { SavedAt = now },
            }, cancellationToken);
            starts.Ask(record);
            return record;
        }
        catch
        {
            await sandboxes.Destroy(id, CancellationToken.None);
            throw;
        }
    }

    private async Task<SessionRecord> Write(
        SessionRecord source, Cut cut, string? made, SessionRecord record, CancellationToken cancellationToken)
    {
        var json = record.Definition.ToJson();
        await Copy(source, cut, (record with { Status = SessionStatus.Deleted }).ToRow(json),
            cancellationToken);
        var session = new SessionLog(log, record.Id, record.ThreadId, ids, clock)
        {
            Agent = () => record.Definition.Agent,
            Prices = prices,
            Budget = record.Definition.Budget,
            IsSelfHosted = record.Definition.IsSelfHosted,
            Row = (history, at, _) => (record = record.After(history, at, prices)).ToRow(json),
        };
        await session.Load(cancellationToken);
        var end = new List<object> { new Forked(source.Id, cut.Seq, made) };
        if (made is not null && await KeepFiles(record.Id, cancellationToken) is { } first)
        {
            // A fork of the fork begins here.
            end.Add(new SnapshotTaken(first, session.History.Seq));
        }

        // What was at work there is at rest here.
        end.AddRange(Turn.InterruptOutcome(session));
        end.AddRange(session.Threads.Where(thread => SessionStatus.IsActive(thread.History.Status)).SelectMany(
            thread => Turn.Idle(thread, StopReason.EndTurn).Select(entry => new On(thread.ThreadId, entry))));
        end.InsertRange(0, session.Runs.Open.SelectMany(run => WorkflowSteps.Stop(session, run)));
        await session.Append(session.Primary, end, SaveKind.Definition);
        return record;
    }

    private async Task<string?> KeepFiles(string id, CancellationToken cancellationToken)
    {
        var snapshot = ids.Next(SnapshotTaken.IdPrefix);
        return await sandboxes.Snapshot(id, snapshot, [], cancellationToken) ? snapshot : null;
    }

    private async Task Copy(SessionRecord source, Cut cut, SessionRow row, CancellationToken cancellationToken)
    {
        var (page, seq) = (new List<LogEntry>(), 0L);
        var save = new SessionSave(row, SaveKind.Insert);
        var threads = new Dictionary<string, string>(StringComparer.Ordinal) { [source.ThreadId] = row.ThreadId };
        await foreach (var entry in Read(source.Id, cancellationToken))
        {
            if (entry.Seq > cut.Seq)
            {
                break;
            }

            if (entry.Type == LogTypes.Snapshot)
            {
                continue;
            }

            page.Add(Renamed(entry, threads) with { Seq = ++seq });
            if (page.Count == PageMax)
            {
                await Flush();
            }
        }

        await Flush();

        async Task Flush()
        {
            await log.Append(new LogAppend
            {
                Session = row.Id,
                ExpectedSeq = seq - page.Count,
                Entries = [.. page],
                Save = save,
                IsHistory = true,
            });
            page.Clear();
            save = null;
        }
    }

    /// <summary>The entry with the fork's own names of threads.</summary>
    private LogEntry Renamed(LogEntry entry, Dictionary<string, string> threads)
    {
        if (entry.Type == LogTypes.ThreadStarted)
        {
            threads.TryAdd(entry.Thread, ids.Next(IdPrefix.Thread));
        }
        else if (LogCodec.Decode(entry) is SessionThreadCreated created)
        {
            threads.TryAdd(created.SessionThreadId, ids.Next(IdPrefix.Thread));
        }

        // Their own events, the messages between them, and what one shows of another name threads; texts do not.
        var body = NamesThreads(entry) ? threads.Aggregate(entry.Body, (text, pair) =>
            text.Replace(pair.Key, pair.Value, StringComparison.Ordinal)) : entry.Body;
        return entry with { Thread = threads[entry.Thread], Body = body };
    }

    private static bool NamesThreads(LogEntry entry) =>
        entry.Type.StartsWith("session.thread_", StringComparison.Ordinal)
        || entry.Type.StartsWith("agent.thread_message_", StringComparison.Ordinal)
        || entry.Type is LogTypes.ThreadStarted or LogTypes.Consulted or LogTypes.PlatformResult
        || entry.Body.Contains("\"session_thread_id\":\"", StringComparison.Ordinal);

    private async IAsyncEnumerable<LogEntry> Read(
        string sessionId, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var seq = 0L; ;)
        {
            var page = await log.ReadAll(sessionId, seq, PageMax, cancellationToken);
            foreach (var entry in page)
            {
                yield return entry;
            }

            if (page.Count < PageMax)
            {
                yield break;
            }

            seq = page[^1].Seq;
        }
    }
}

/// <summary>Where a history is cut.</summary>
/// <param name="Seq">The last entry of the fork's history; 0 for none.</param>
/// <param name="Snapshots">The snapshots at or before it, newest first.</param>
public sealed record Cut(long Seq, IReadOnlyList<string> Snapshots);
