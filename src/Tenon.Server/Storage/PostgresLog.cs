using Npgsql;
using System.Text;

namespace Tenon.Server.Storage;

/// <summary>
/// The log in PostgreSQL. A batch is two round trips: one asks how far its sessions are, one writes all of it, and the
/// table's key turns away what another process wrote in between.
/// </summary>
internal sealed class PostgresLog(NpgsqlDataSource source, PostgresMembership membership, TimeProvider clock)
    : IEventLog
{
    private const string Columns = "seq, thread, id, type, at, body, internal";

    /// <summary>
    /// How long to wait before each new attempt when the database is away: a restart or a fail-over of a few seconds
    /// only makes appends slower.
    /// </summary>
    private static readonly TimeSpan[] Waits =
    [
        TimeSpan.Zero, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(1),
        TimeSpan.FromSeconds(2),
    ];

    /// <summary>Attempts at a batch that meets rows of another: the second one knows of them.</summary>
    private const int RacesMax = 3;

    // A page's limit stands in a sub-query, where the planner does not see it. It would else compare it with its guess
    // of the session's length, and for a session that is longer than it thinks, sort all of it instead of following
    // the key.
    public bool IsOwner => membership.IsOwner;

    public async Task<IReadOnlyList<SequenceConflictException?>> Write(IReadOnlyList<LogAppend> batch)
    {
        PostgresBatch? sent = null;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync();
                if (sent is not null && await sent.IsWritten(connection))
                {
                    return sent.Conflicts;
                }

                sent = await Plan(connection, batch);
                await sent.Write(connection, membership);
                membership.Succeeded();
                return sent.Conflicts;
            }
            catch (PostgresException exception)
                when (exception.SqlState == PostgresErrorCodes.UniqueViolation && attempt < RacesMax)
            {
                // Another process was first, or an attempt before this one that was thought to be lost.
            }
            catch (Exception exception) when (DatabaseFault.IsOutage(exception) && attempt < Waits.Length)
            {
                await Task.Delay(Waits[attempt], clock);
            }
            catch
            {
                membership.Failed();
                throw;
            }
        }
    }

    public Task<IReadOnlyList<LogEntry>> ReadAll(
        string session, long afterSeq, int limit, CancellationToken cancellationToken) => Query(
        $"SELECT {Columns} FROM log WHERE session=$1 AND seq>$2 ORDER BY seq LIMIT (SELECT $3)",
        [session, afterSeq, limit], cancellationToken);

    public async Task<long> Head(string session, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand("SELECT COALESCE(MAX(seq), 0) FROM log WHERE session=$1");
        command.Parameters.AddWithValue(session);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public Task<IReadOnlyList<LogEntry>> List(LogQuery query, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder($"SELECT {Columns} FROM log l WHERE session=$1 AND thread=$2 AND NOT internal");
        var parameters = new List<object> { query.Session, query.Thread };

        // The offset keeps the planner from joining the page with the whole session, and the sum from going through
        // the rest of the log by seq: it is to look up each row's id.
        sql.Append(" AND NOT EXISTS (SELECT 1 FROM log n WHERE n.session=l.session AND n.id=l.id AND n.seq+0>l.seq "
            + "AND n.thread=l.thread OFFSET 0)");
        Add(query.After, query.Descending ? "seq<" : "seq>");
        Add(query.From, "at>=");
        Add(query.To, "at<=");
        if (query.Types.Count > 0)
        {
            parameters.Add(query.Types.ToArray());
            sql.Append(" AND type = ANY(").Append(Last()).Append(')');
        }

        parameters.Add(query.Limit);
        sql.Append(query.Descending ? " ORDER BY seq DESC" : " ORDER BY seq").Append($" LIMIT (SELECT {Last()})");
        return Query(sql.ToString(), parameters, cancellationToken);

        string Last() => $"${parameters.Count}";

        void Add(long? value, string comparison)
        {
            if (value is { } given)
            {
                parameters.Add(given);
                sql.Append(" AND ").Append(comparison).Append(Last());
            }
        }
    }

    /// <summary>Reads how far the batch's sessions are, and who owns them.</summary>
    private async Task<PostgresBatch> Plan(NpgsqlConnection connection, IReadOnlyList<LogAppend> batch)
    {
        await using var command = new NpgsqlCommand(
            "SELECT s.id, COALESCE((SELECT seq FROM log WHERE session=s.id ORDER BY seq DESC LIMIT 1), 0), "
            + "(SELECT epoch FROM owner) FROM unnest($1) AS s(id)", connection);
        command.Parameters.AddWithValue(batch.Select(append => append.Session).Distinct().ToArray());
        var heads = new Dictionary<string, long>(StringComparer.Ordinal);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            heads.Add(reader.GetString(0), reader.GetInt64(1));
            if (reader.IsDBNull(2) || reader.GetInt64(2) != membership.Epoch)
            {
                throw new LogUnavailableException("Another process owns the sessions of this database now.");
            }
        }

        return new PostgresBatch(batch, heads);
    }

    private async Task<IReadOnlyList<LogEntry>> Query(
        string sql, IReadOnlyList<object> parameters, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(sql);
        foreach (var value in parameters)
        {
            command.Parameters.AddWithValue(value);
        }

        var entries = new List<LogEntry>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            entries.Add(new LogEntry(
                reader.GetInt64(0), reader.GetString(1), reader.GetString(2), reader.GetString(3),
                reader.GetInt64(4), reader.GetString(5), reader.GetBoolean(6)));
        }

        return entries;
    }
}
