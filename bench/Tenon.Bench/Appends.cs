using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Tenon.Server.Events;
using Tenon.Server.Storage;
using Log = Tenon.Server.Events.EventLog;

namespace Tenon.Bench;

/// <summary>
/// Events a second into the log by many sessions at once, and the same rows into the bare database, in batches of one
/// append of each session.
/// </summary>
internal static class Appends
{
    private const int Sessions = 64;
    private const int AppendsEach = 100;
    private const int EventsEach = 3;
    private const int EventsInRound = Sessions * AppendsEach * EventsEach;
    private const int Rounds = 7;
    private static readonly string Body = "{\"type\":\"agent.message\",\"text\":\"" + new string('x', 300) + "\"}";

    // No run finds what an earlier one has left.
    private static readonly string Prefix = Guid.NewGuid().ToString("N");

    public static async Task Run(BenchRun run)
    {
        var folder = Directory.CreateTempSubdirectory("tenon-bench-").FullName;
        if (run.Postgres is { } connectionString)
        {
            await using var database = new PostgresDatabase(connectionString, TimeProvider.System);
            database.Migrate();
            using var end = new CancellationTokenSource();
            var owned = new TaskCompletionSource();
            var following = database.Follow(
                news =>
                {
                    _ = news is Owned && owned.TrySetResult();
                    return Task.CompletedTask;
                },
                end.Token);
            await await Task.WhenAny(owned.Task, following);
            await Measure(
                run, database, "bare PostgreSQL in the same batches", round => WritePostgres(database, round));
            await end.CancelAsync();
            await following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        else
        {
            var database = new SqliteDatabase(Path.Combine(folder, "log.db"));
            database.Migrate();
            await Measure(run, database, "bare SQLite in the same batches", round =>
            {
                WriteSqlite(database, round);
                return Task.CompletedTask;
            });
            database.Close();
        }

        Directory.Delete(folder, recursive: true);
    }

    private static async Task Measure(BenchRun run, IDatabase database, string floor, Func<int, Task> writeBare)
    {
        await using var log = new Log(database.Log, new Feed(TimeProvider.System), NullLogger<Log>.Instance);
        var rounds = new List<(double Ours, double Bare)>();
        for (var round = 0; round <= Rounds; round++)
        {
            var number = round;
            var ours = await Rate(() => Task.WhenAll(
                Enumerable.Range(0, Sessions).Select(i => Task.Run(() => Write(log, $"{Prefix}_{number}_{i}")))));
            rounds.Add((ours, await Rate(() => writeBare(number))));
        }

        rounds.RemoveAt(0); // It warmed both up.
        run.Add(new Measure
        {
            Name = "append", What = $"events, {Sessions} sessions at once", Unit = "a second", MoreIsBetter = true,
            Here = Figures.Median(rounds.Select(round => round.Ours)),
            Floor = Figures.Median(rounds.Select(round => round.Bare)), FloorIs = floor,
            Ratio = Figures.Median(rounds.Select(round => round.Ours / round.Bare)), ReachRatio = 0.5,
        });
    }

    private static async Task<double> Rate(Func<Task> write)
    {
        var start = Stopwatch.GetTimestamp();
        await write();
        return EventsInRound / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task Write(Log log, string session)
    {
        for (var append = 0; append < AppendsEach; append++)
        {
            await log.Append(new LogAppend
            {
                Session = session,
                ExpectedSeq = (long)append * EventsEach,
                Entries = Entries(session, append),
            });
        }
    }

    private static LogEntry[] Entries(string session, int append) =>
    [
        .. Enumerable.Range((append * EventsEach) + 1, EventsEach).Select(
            seq => new LogEntry(seq, "sthr", $"sevt_{session}_{seq}", "agent.message", 0, Body, false)),
    ];

    private static void WriteSqlite(SqliteDatabase database, int round)
    {
        using var connection = database.Open();
        using var command = connection.CreateCommand();
        command.CommandText =
            "INSERT INTO log (session, seq, thread, id, type, at, body, internal) "
            + "VALUES ($session, $seq, $thread, $id, $type, $at, $body, 0)";
        var values = Array.ConvertAll<string, SqliteParameter>(
            ["$session", "$seq", "$thread", "$id", "$type", "$at", "$body"],
            name => command.Parameters.AddWithValue(name, DBNull.Value));
        for (var append = 0; append < AppendsEach; append++)
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            command.Transaction = transaction;
            for (var i = 0; i < Sessions; i++)
            {
                var session = $"{Prefix}_bare_{round}_{i}";
                foreach (var entry in Entries(session, append))
                {
                    object[] row = [session, entry.Seq, entry.Thread, entry.Id, entry.Type, entry.At, entry.Body];
                    for (var column = 0; column < row.Length; column++)
                    {
                        values[column].Value = row[column];
                    }

                    command.ExecuteNonQuery();
                }
            }

            transaction.Commit();
        }
    }

    private static async Task WritePostgres(PostgresDatabase database, int round)
    {
        await using var connection = await database.Open(CancellationToken.None);
        for (var append = 0; append < AppendsEach; append++)
        {
            var rows = Enumerable.Range(0, Sessions).Select(i => $"{Prefix}_bare_{round}_{i}")
                .SelectMany(session => Entries(session, append).Select(entry => (Session: session, Entry: entry)))
                .ToArray();
            await using var command = new NpgsqlCommand(
                "INSERT INTO log (session, seq, thread, id, type, at, body, internal) "
                + "SELECT *, false FROM unnest($1, $2, $3, $4, $5, $6, $7)", connection);
            foreach (var column in (Array[])
            [
                Array.ConvertAll(rows, row => row.Session), Array.ConvertAll(rows, row => row.Entry.Seq),
                Array.ConvertAll(rows, row => row.Entry.Thread), Array.ConvertAll(rows, row => row.Entry.Id),
                Array.ConvertAll(rows, row => row.Entry.Type), Array.ConvertAll(rows, row => row.Entry.At),
                Array.ConvertAll(rows, row => row.Entry.Body),
            ])
            {
                command.Parameters.AddWithValue(column);
            }

            await command.ExecuteNonQueryAsync();
        }
    }
}
