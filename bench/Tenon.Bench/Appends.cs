using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Tenon.Server.Events;
using Tenon.Server.Storage;
using Log = Tenon.Server.Events.EventLog;

namespace Tenon.Bench;

/// <summary>
/// Events a second into the log by many sessions at once, and into the bare database in batches of the same size.
/// </summary>
internal static class Appends
{
    private const int Sessions = 64;
    private const int AppendsEach = 100;
    private const int EventsEach = 3;
    private const int EventsInRound = Sessions * AppendsEach * EventsEach;
    private const int BatchSize = Sessions * EventsEach;
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
        for (var i = 0; i < AppendsEach; i++)
        {
            var seq = (long)i * EventsEach;
            await log.Append(new LogAppend
            {
                Session = session,
                ExpectedSeq = seq,
                Entries = [.. Enumerable.Range(1, EventsEach).Select(n =>
                    new LogEntry(seq + n, "sthr", $"sevt_{session}_{seq + n}", "agent.message", 0, Body, false))],
            });
        }
    }

    private static void WriteSqlite(SqliteDatabase database, int round)
    {
        using var connection = database.Open();
        using var command = connection.CreateCommand();
        command.CommandText =
            "INSERT INTO log (session, seq, thread, id, type, at, body, internal) "
            + "VALUES ($session, $seq, 't', $id, 'x', 0, $body, 0)";
        var seq = command.Parameters.Add("$seq", SqliteType.Integer);
        var id = command.Parameters.Add("$id", SqliteType.Text);
        command.Parameters.AddWithValue("$session", $"bare_{round}");
        command.Parameters.AddWithValue("$body", Body);
        for (var batch = 0; batch < AppendsEach; batch++)
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            command.Transaction = transaction;
            for (var i = 1; i <= BatchSize; i++)
            {
                seq.Value = (batch * BatchSize) + i;
                id.Value = $"sevt_{seq.Value}";
                command.ExecuteNonQuery();
            }

            transaction.Commit();
        }
    }

    private static async Task WritePostgres(PostgresDatabase database, int round)
    {
        await using var connection = await database.Open(CancellationToken.None);
        for (var batch = 0; batch < AppendsEach; batch++)
        {
            var numbers = Enumerable.Range(1, BatchSize).Select(i => (long)(batch * BatchSize) + i).ToArray();
            await using var command = new NpgsqlCommand(
                "INSERT INTO log (session, seq, thread, id, type, at, body, internal) "
                + "SELECT $1, seq, 't', 'sevt_' || seq, 'x', 0, $2, false FROM unnest($3) AS s(seq)",
                connection);
            command.Parameters.AddWithValue($"{Prefix}_bare_{round}");
            command.Parameters.AddWithValue(Body);
            command.Parameters.AddWithValue(numbers);
            await command.ExecuteNonQueryAsync();
        }
    }
}
