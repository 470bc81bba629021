using Microsoft.Data.Sqlite;
using System.Text;

namespace Tenon.Server.Storage;

/// <summary>The log in SQLite, whose calls block: nothing here waits for another machine.</summary>
internal sealed class SqliteLog(SqliteDatabase database) : IEventLog
{
    private const string Columns = "seq, thread, id, type, at, body, internal";

    public bool IsOwner => true;

    public Task<IReadOnlyList<SequenceConflictException?>> Write(IReadOnlyList<LogAppend> batch) => Watched(() =>
    {
        database.RefuseWrites();
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction(deferred: false);
        using var statements = new Statements(connection, transaction);
        var conflicts = new SequenceConflictException?[batch.Count];
        for (var i = 0; i < batch.Count; i++)
        {
            conflicts[i] = Write(statements, batch[i]);
        }

        transaction.Commit();
        return (IReadOnlyList<SequenceConflictException?>)conflicts;
    });

    private static SequenceConflictException? Write(Statements statements, LogAppend append)
    {
        var head = statements.Head(append.Session);
        if (head != append.ExpectedSeq)
        {
            return new SequenceConflictException(append.Session, append.ExpectedSeq, head);
        }

        foreach (var entry in append.Entries)
        {
            statements.Insert(append.Session, entry);
        }

        if (append.Save is { } save)
        {
            statements.Save(save);
        }

        if (append.Purge)
        {
            statements.Purge(append.Session, append.ExpectedSeq);
        }

        return null;
    }

    public Task<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken) => Query(
        $"SELECT {Columns} FROM log WHERE session=$session AND seq>$after ORDER BY seq LIMIT $limit",
        ("$session", session), ("$after", afterSeq), ("$limit", limit));

    public Task<long> Head(string session, CancellationToken cancellationToken) => Watched(() =>
    {
        using var connection = database.Open();
        using var statements = new Statements(connection, null);
        return statements.Head(session);
    });

    public Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder($"SELECT {Columns} FROM log l WHERE session=$session AND internal=0");
        var parameters = new List<(string, object)> { ("$session", query.Session), ("$limit", query.Limit) };
        sql.Append(" AND NOT EXISTS (SELECT 1 FROM log n WHERE n.session=l.session AND n.id=l.id AND n.seq>l.seq)");
        Add(query.After, query.Descending ? " AND seq<$after" : " AND seq>$after", "$after");
        Add(query.From, " AND at>=$from", "$from");
        Add(query.To, " AND at<=$to", "$to");
        if (query.Types.Count > 0)
        {
            sql.Append(" AND type IN (").AppendJoin(',', query.Types.Select((_, i) => $"$type{i}")).Append(')');
            parameters.AddRange(query.Types.Select((type, i) => ($"$type{i}", (object)type)));
        }

        sql.Append(query.Descending ? " ORDER BY seq DESC" : " ORDER BY seq").Append(" LIMIT $limit");
        return Query(sql.ToString(), [.. parameters]);

        void Add(long? value, string clause, string name)
        {
            if (value is { } given)
            {
                sql.Append(clause);
                parameters.Add((name, given));
            }
        }
    }

    private Task<IReadOnlyList<LogEntry>> Query(string sql, params (string Name, object Value)[] parameters) =>
        Watched<IReadOnlyList<LogEntry>>(() => Read(sql, parameters));

    // What the disk does to a statement is told to who waits for the end of it.
    private Task<T> Watched<T>(Func<T> work)
    {
        try
        {
            return Task.FromResult(work());
        }
        catch (SqliteException exception)
        {
            database.Report(exception);
            throw;
        }
    }

    private List<LogEntry> Read(string sql, (string Name, object Value)[] parameters)
    {
        using var connection = database.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The text is made of constants above; every value is a parameter.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        var entries = new List<LogEntry>();
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            entries.Add(new LogEntry(
                reader.GetInt64(0), reader.GetString(1), reader.GetString(2), reader.GetString(3),
                reader.GetInt64(4), reader.GetString(5), reader.GetInt64(6) != 0));
        }

        return entries;
    }

    /// <summary>The statements of one transaction, prepared once for all of its rows.</summary>
    private sealed class Statements(SqliteConnection connection, SqliteTransaction? transaction) : IDisposable
    {
        private readonly Dictionary<string, SqliteCommand> _commands = [];

        public long Head(string session)
        {
            var command = Get("SELECT COALESCE(MAX(seq), 0) FROM log WHERE session=$session");
            Set(command, "$session", session);
            return (long)command.ExecuteScalar()!;
        }

        public void Insert(string session, LogEntry entry)
        {
            var command = Get(
                "INSERT INTO log (session, seq, thread, id, type, at, body, internal) " +
                "VALUES ($session, $seq, $thread, $id, $type, $at, $body, $internal)");
            Set(command, "$session", session);
            Set(command, "$seq", entry.Seq);
            Set(command, "$thread", entry.Thread);
            Set(command, "$id", entry.Id);
            Set(command, "$type", entry.Type);
            Set(command, "$at", entry.At);
            Set(command, "$body", entry.Body);
            Set(command, "$internal", entry.Internal ? 1 : 0);
            command.ExecuteNonQuery();
        }

        public void Save(SessionSave save)
        {
            var row = save.Row;
            var command = Get(save.Kind switch
            {
                SaveKind.Insert =>
                    "INSERT INTO session (id, created_at, thread_id, agent_id, agent_version, environment_id, " +
                    "status, archived_at, definition, state) VALUES ($id, $created, $thread, $agent, $version, " +
                    "$environment, $status, $archived, $definition, $state)",
                SaveKind.Definition =>
                    "UPDATE session SET status=$status, archived_at=$archived, state=$state, definition=$definition " +
                    "WHERE id=$id",
                _ => "UPDATE session SET status=$status, archived_at=$archived, state=$state WHERE id=$id",
            });
            Set(command, "$id", row.Id);
            Set(command, "$status", row.Status);
            Set(command, "$archived", (object?)row.ArchivedAt ?? DBNull.Value);
            Set(command, "$state", row.State);
            if (save.Kind != SaveKind.State)
            {
                Set(command, "$definition", row.Definition);
            }

            if (save.Kind == SaveKind.Insert)
            {
                Set(command, "$created", row.CreatedAt);
                Set(command, "$thread", row.ThreadId);
                Set(command, "$agent", row.AgentId);
                Set(command, "$version", row.AgentVersion);
                Set(command, "$environment", row.EnvironmentId);
            }

            command.ExecuteNonQuery();
        }

        public void Purge(string session, long through)
        {
            var command = Get("DELETE FROM log WHERE session=$session AND seq<=$through");
            Set(command, "$session", session);
            Set(command, "$through", through);
            command.ExecuteNonQuery();
        }

        public void Dispose()
        {
            foreach (var command in _commands.Values)
            {
                command.Dispose();
            }
        }

        private SqliteCommand Get(string sql)
        {
            if (!_commands.TryGetValue(sql, out var command))
            {
                command = connection.CreateCommand();
                command.Transaction = transaction;
#pragma warning disable CA2100 // Constants of this class.
                command.CommandText = sql;
#pragma warning restore CA2100
                _commands.Add(sql, command);
            }

            return command;
        }

        private static void Set(SqliteCommand command, string name, object value)
        {
            if (command.Parameters.Contains(name))
            {
                command.Parameters[name].Value = value;
            }
            else
            {
                command.Parameters.AddWithValue(name, value);
            }
        }
    }
}
