using Npgsql;

namespace Tenon.Server.Storage;

/// <summary>Appends as columns of rows, each statement taking all of its rows at once.</summary>
internal sealed class PostgresBatch
{
    private readonly List<(string Session, LogEntry Entry)> _entries = [];
    private readonly Dictionary<string, SessionSave> _saves = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Session, string Id), ThreadRow> _threads = [];
    private readonly List<(string Session, long Through)> _purges = [];
    private readonly SequenceConflictException?[] _conflicts;
    private LogAppend? _last;

    /// <param name="heads">The last sequence number of every session in the batch.</param>
    public PostgresBatch(IReadOnlyList<LogAppend> batch, Dictionary<string, long> heads)
    {
        _conflicts = new SequenceConflictException?[batch.Count];
        for (var i = 0; i < batch.Count; i++)
        {
            var append = batch[i];
            var head = heads[append.Session];
            if (head == append.ExpectedSeq)
            {
                Add(append);
                heads[append.Session] = append.Entries.Count > 0 ? append.Entries[^1].Seq : head;
            }
            else
            {
                _conflicts[i] = new SequenceConflictException(append.Session, append.ExpectedSeq, head);
            }
        }
    }

    public IReadOnlyList<SequenceConflictException?> Conflicts => _conflicts;

    /// <summary>
    /// Whether an attempt to write this succeeded although its answer was lost. All of a batch is written, or nothing;
    /// and nothing of the batch takes its last append away again.
    /// </summary>
    public async Task<bool> IsWritten(NpgsqlConnection connection)
    {
        if (_last is null)
        {
            return false;
        }

        await using var command = new NpgsqlCommand(
            _last.Entries.Count > 0
                ? "SELECT EXISTS (SELECT 1 FROM log WHERE session=$1 AND seq=$2 AND id=$3)"
                : "SELECT EXISTS (SELECT 1 FROM session WHERE id=$1)",
            connection);
        command.Parameters.AddWithValue(_last.Session);
        if (_last.Entries.Count > 0)
        {
            command.Parameters.AddWithValue(_last.Entries[^1].Seq);
            command.Parameters.AddWithValue(_last.Entries[^1].Id);
        }

        return (bool)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Writes it in one round trip, which is one transaction.</summary>
    public async Task Write(NpgsqlConnection connection, PostgresMembership membership)
    {
        await using var batch = new NpgsqlBatch(connection);
        AddEntries(batch);
        var inserts = _saves.Values.Where(save => save.Kind == SaveKind.Insert).Select(save => save.Row).ToList();
        if (inserts.Count > 0)
        {
            AddInserts(batch, inserts);
        }

        var updates = _saves.Values.Where(save => save.Kind != SaveKind.Insert).ToList();
        if (updates.Count > 0)
        {
            AddUpdates(batch, updates);
        }

        if (_threads.Count > 0)
        {
            AddThreads(batch, [.. _threads.Values]);
        }

        if (_purges.Count > 0)
        {
            Add(batch,
                "DELETE FROM log l USING unnest($1, $2) AS p(session, through) "
                + "WHERE l.session=p.session AND l.seq<=p.through",
                _purges.ConvertAll(purge => purge.Session).ToArray(),
                _purges.ConvertAll(purge => purge.Through).ToArray());
        }

        if (batch.BatchCommands.Count > 0)
        {
            Add(batch, PostgresMembership.NotifySql,
                membership.Notify(_entries.Select(entry => entry.Session).Distinct()));
            await batch.ExecuteNonQueryAsync();
        }
    }

    private void Add(LogAppend append)
    {
        _last = append;
        _entries.AddRange(append.Entries.Select(entry => (append.Session, entry)));
        if (append.Save is { } save)
        {
            _saves[append.Session] = _saves.TryGetValue(append.Session, out var earlier) ? Merge(earlier, save) : save;
        }

        foreach (var thread in append.Threads)
        {
            var key = (thread.Session, thread.Id);
            _threads[key] = thread.Definition.Length == 0 && _threads.TryGetValue(key, out var earlier)
                ? thread with { Definition = earlier.Definition } : thread;
        }

        if (append.Purge)
        {
            _purges.Add((append.Session, append.ExpectedSeq));
        }
    }

    private static SessionSave Merge(SessionSave earlier, SessionSave later) => new(
        later.Kind == SaveKind.State ? later.Row with { Definition = earlier.Row.Definition } : later.Row,
        (SaveKind)Math.Max((int)earlier.Kind, (int)later.Kind));

    private void AddEntries(NpgsqlBatch batch)
    {
        if (_entries.Count > 0)
        {
            Add(batch,
                "INSERT INTO log (session, seq, thread, id, type, at, body, internal) "
                + "SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)",
                _entries.ConvertAll(row => row.Session).ToArray(),
                _entries.ConvertAll(row => row.Entry.Seq).ToArray(),
                _entries.ConvertAll(row => row.Entry.Thread).ToArray(),
                _entries.ConvertAll(row => row.Entry.Id).ToArray(),
                _entries.ConvertAll(row => row.Entry.Type).ToArray(),
                _entries.ConvertAll(row => row.Entry.At).ToArray(),
                _entries.ConvertAll(row => row.Entry.Body).ToArray(),
                _entries.ConvertAll(row => row.Entry.Internal).ToArray());
        }
    }

    private static void AddInserts(NpgsqlBatch batch, List<SessionRow> rows) => Add(batch,
        "INSERT INTO session (id, created_at, thread_id, agent_id, agent_version, environment_id, status, "
        + "archived_at, definition, state) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        rows.ConvertAll(row => row.Id).ToArray(),
        rows.ConvertAll(row => row.CreatedAt).ToArray(),
        rows.ConvertAll(row => row.ThreadId).ToArray(),
        rows.ConvertAll(row => row.AgentId).ToArray(),
        rows.ConvertAll(row => row.AgentVersion).ToArray(),
        rows.ConvertAll(row => row.EnvironmentId).ToArray(),
        rows.ConvertAll(row => row.Status).ToArray(),
        rows.ConvertAll(row => row.ArchivedAt).ToArray(),
        rows.ConvertAll(row => row.Definition).ToArray(),
        rows.ConvertAll(row => row.State).ToArray());

    private static void AddUpdates(NpgsqlBatch batch, List<SessionSave> saves) => Add(batch,
        "UPDATE session s SET status=u.status, archived_at=u.archived_at, state=u.state, "
        + "definition=COALESCE(u.definition, s.definition) "
        + "FROM unnest($1, $2, $3, $4, $5) AS u(id, status, archived_at, state, definition) WHERE s.id=u.id",
        saves.ConvertAll(save => save.Row.Id).ToArray(),
        saves.ConvertAll(save => save.Row.Status).ToArray(),
        saves.ConvertAll(save => save.Row.ArchivedAt).ToArray(),
        saves.ConvertAll(save => save.Row.State).ToArray(),
        saves.ConvertAll(save => save.Kind == SaveKind.Definition ? save.Row.Definition : null).ToArray());

    private static void AddThreads(NpgsqlBatch batch, List<ThreadRow> rows) => Add(batch,
        "INSERT INTO thread (session, id, created_at, status, archived_at, definition, state) "
        + "SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (session, id) DO UPDATE SET "
        + "status=excluded.status, archived_at=excluded.archived_at, state=excluded.state",
        rows.ConvertAll(row => row.Session).ToArray(),
        rows.ConvertAll(row => row.Id).ToArray(),
        rows.ConvertAll(row => row.CreatedAt).ToArray(),
        rows.ConvertAll(row => row.Status).ToArray(),
        rows.ConvertAll(row => row.ArchivedAt).ToArray(),
        rows.ConvertAll(row => row.Definition).ToArray(),
        rows.ConvertAll(row => row.State).ToArray());

    private static void Add(NpgsqlBatch batch, string sql, params IReadOnlyList<Array> columns)
    {
#pragma warning disable CA2100 // Constants of this class.
        var command = new NpgsqlBatchCommand(sql);
#pragma warning restore CA2100
        foreach (var column in columns)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = column });
        }

        batch.BatchCommands.Add(command);
    }
}
