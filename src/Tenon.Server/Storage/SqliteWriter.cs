using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Tenon.Server.Storage;

/// <summary>
/// The one connection that writes the log, with its statements prepared once. They are bound by position and stepped
/// without a reader between, for each costs as much as the row itself.
/// </summary>
/// <remarks>After a failure it is disposed and another one is opened: what it holds may be in any state.</remarks>
internal sealed class SqliteWriter : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Statement _begin;
    private readonly Statement _commit;
    private readonly Statement _head;
    private readonly Statement _insert;
    private readonly Statement _insertSession;
    private readonly Statement _updateState;
    private readonly Statement _updateDefinition;
    private readonly Statement _saveThread;
    private readonly Statement _purge;

    public SqliteWriter(SqliteDatabase database)
    {
        _connection = database.OpenAlone();
        var handle = _connection.Handle!;
        _begin = new(handle, "BEGIN IMMEDIATE");
        _commit = new(handle, "COMMIT");
        _head = new(handle, "SELECT COALESCE(MAX(seq), 0) FROM log WHERE session=?");
        _insert = new(handle,
            "INSERT INTO log (session, seq, thread, id, type, at, body, internal) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        _insertSession = new(handle,
            "INSERT INTO session (status, archived_at, state, definition, id, created_at, thread_id, agent_id, "
            + "agent_version, environment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        _updateState = new(handle, "UPDATE session SET status=?, archived_at=?, state=? WHERE id=?");
        _updateDefinition = new(handle, "UPDATE session SET status=?, archived_at=?, state=?, definition=? WHERE id=?");
        _saveThread = new(handle,
            "INSERT INTO thread (session, id, created_at, status, archived_at, definition, state) "
            + "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, id) DO UPDATE SET status=excluded.status, "
            + "archived_at=excluded.archived_at, state=excluded.state");
        _purge = new(handle, "DELETE FROM log WHERE session=? AND seq<=?");
    }

    /// <summary>Writes the appends in one transaction; the conflict of each that is left out stands at its place.
    /// </summary>
    public SequenceConflictException?[] Write(IReadOnlyList<LogAppend> batch)
    {
        _begin.Run();
        var conflicts = new SequenceConflictException?[batch.Count];
        for (var i = 0; i < batch.Count; i++)
        {
            conflicts[i] = Write(batch[i]);
        }

        _commit.Run();
        return conflicts;
    }

    public void Dispose()
    {
        foreach (var statement in (Statement[])
            [_begin, _commit, _head, _insert, _insertSession, _updateState, _updateDefinition, _saveThread, _purge])
        {
            statement.Dispose();
        }

        _connection.Dispose();
    }

    private SequenceConflictException? Write(LogAppend append)
    {
        var head = _head.Bind(append.Session).Read();
        if (head != append.ExpectedSeq)
        {
            return new SequenceConflictException(append.Session, append.ExpectedSeq, head);
        }

        foreach (var entry in append.Entries)
        {
            _insert.Bind(append.Session).Bind(entry.Seq).Bind(entry.Thread).Bind(entry.Id).Bind(entry.Type)
                .Bind(entry.At).Bind(entry.Body).Bind(entry.Internal ? 1 : 0).Run();
        }

        if (append.Save is { } save)
        {
            Save(save);
        }

        foreach (var thread in append.Threads)
        {
            _saveThread.Bind(thread.Session).Bind(thread.Id).Bind(thread.CreatedAt).Bind(thread.Status)
                .Bind(thread.ArchivedAt).Bind(thread.Definition).Bind(thread.State).Run();
        }

        if (append.Purge)
        {
            _purge.Bind(append.Session).Bind(append.ExpectedSeq).Run();
        }

        return null;
    }

    private void Save(SessionSave save)
    {
        var row = save.Row;
        var statement = save.Kind switch
        {
            SaveKind.Insert => _insertSession,
            SaveKind.Definition => _updateDefinition,
            _ => _updateState,
        };
        statement.Bind(row.Status).Bind(row.ArchivedAt).Bind(row.State);
        if (save.Kind != SaveKind.State)
        {
            statement.Bind(row.Definition);
        }

        statement.Bind(row.Id);
        if (save.Kind == SaveKind.Insert)
        {
            statement.Bind(row.CreatedAt).Bind(row.ThreadId).Bind(row.AgentId).Bind(row.AgentVersion)
                .Bind(row.EnvironmentId);
        }

        statement.Run();
    }

    /// <summary>A prepared statement. Values are bound from left to right, then it is run and ready again.</summary>
    private sealed class Statement : IDisposable
    {
        private readonly sqlite3 _database;
        private readonly sqlite3_stmt _statement;
        private int _bound;

        public Statement(sqlite3 database, string sql)
        {
            _database = database;
            Check(raw.sqlite3_prepare_v3(database, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement));
        }

        public Statement Bind(string value)
        {
            Check(raw.sqlite3_bind_text(_statement, ++_bound, value));
            return this;
        }

        public Statement Bind(long? value)
        {
            Check(value is { } given
                ? raw.sqlite3_bind_int64(_statement, ++_bound, given)
                : raw.sqlite3_bind_null(_statement, ++_bound));
            return this;
        }

        public void Run()
        {
            raw.sqlite3_step(_statement);
            Reset();
        }

        /// <summary>The first column of its one row.</summary>
        public long Read()
        {
            raw.sqlite3_step(_statement);
            var value = raw.sqlite3_column_int64(_statement, 0);
            Reset();
            return value;
        }

        public void Dispose() => _statement.Dispose();

        // It repeats the code of the step before it, if that failed.
        private void Reset()
        {
            _bound = 0;
            Check(raw.sqlite3_reset(_statement));
        }

        private void Check(int code)
        {
            if (code != raw.SQLITE_OK)
            {
                SqliteException.ThrowExceptionForRC(code, _database);
            }
        }
    }
}
