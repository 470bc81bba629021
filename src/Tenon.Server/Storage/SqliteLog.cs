using Microsoft.Data.Sqlite;
using System.Text;

namespace Tenon.Server.Storage;

/// <summary>The log in SQLite, whose calls block: nothing here waits for another machine.</summary>
internal sealed class SqliteLog(SqliteDatabase database) : IEventLog
{
    private const string Columns = "seq, thread, id, type, at, body, internal";

    private readonly Lock _lock = new();
    private SqliteWriter? _writer;

    public bool IsOwner => true;

    public Task<IReadOnlyList<SequenceConflictException?>> Write(IReadOnlyList<LogAppend> batch) => Watched(() =>
    {
        database.RefuseWrites();
        lock (_lock)
        {
            _writer ??= new SqliteWriter(database);
            try
            {
                return (IReadOnlyList<SequenceConflictException?>)_writer.Write(batch);
            }
            catch
            {
                // Closing the connection rolls back what it has begun.
                Close();
                throw;
            }
        }
    });

    /// <summary>Lets the file go; the next write opens it again.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _writer?.Dispose();
            _writer = null;
        }
    }

    public Task<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken) => Query(
        $"SELECT {Columns} FROM log WHERE session=$session AND seq>$after ORDER BY seq LIMIT $limit",
        ("$session", session), ("$after", afterSeq), ("$limit", limit));

    public Task<long> Head(string session, CancellationToken cancellationToken) => Watched(() =>
    {
        using var connection = database.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT COALESCE(MAX(seq), 0) FROM log WHERE session=$session";
        command.Parameters.AddWithValue("$session", session);
        return (long)command.ExecuteScalar()!;
    });

    public Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder(
            $"SELECT {Columns} FROM log l WHERE session=$session AND thread=$thread AND internal=0");
        var parameters = new List<(string, object)>
        {
            ("$session", query.Session), ("$thread", query.Thread), ("$limit", query.Limit),
        };

        // The sum keeps it from the index by seq, in which it would go through the rest of the log for each row.
        sql.Append(" AND NOT EXISTS (SELECT 1 FROM log n WHERE n.session=l.session AND n.id=l.id AND n.seq+0>l.seq "
            + "AND n.thread=l.thread)");
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
}
