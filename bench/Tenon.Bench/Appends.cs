using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Tenon.Server.Events;
using Tenon.Server.Storage;
using Log = Tenon.Server.Events.EventLog;

namespace Tenon.Bench;

/// <summary>
/// Events a second into the log by many sessions at once, and into bare SQLite in batches of the same size.
/// </summary>
internal static class Appends
{
    private const int Sessions = 64;
    private const int AppendsEach = 200;
    private const int EventsEach = 3;
    private static readonly string Body = "{\"type\":\"agent.message\",\"text\":\"" + new string('x', 300) + "\"}";

    public static async Task Run()
    {
        var folder = Directory.CreateTempSubdirectory("tenon-bench-").FullName;
        var database = new SqliteDatabase(Path.Combine(folder, "log.db"));
        database.Migrate();
        var log = new Log(database.Log, new Feed(TimeProvider.System), NullLogger<Log>.Instance);
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Sessions).Select(i => Task.Run(() => Write(log, $"sesn_{i}"))));
        var ours = Sessions * AppendsEach * EventsEach / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await log.DisposeAsync();

        start = Stopwatch.GetTimestamp();
        WriteBare(database);
        var bare = Sessions * AppendsEach * EventsEach / Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine(
            $"{"events appended, 64 sessions",-44} {ours,7:0} a second, "
            + $"{ours / bare:0.00} of bare SQLite ({bare:0})");
        database.Close();
        Directory.Delete(folder, recursive: true);
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

    private static void WriteBare(SqliteDatabase database)
    {
        using var connection = database.Open();
        for (var batch = 0; batch < AppendsEach; batch++)
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText =
                "INSERT INTO log (session, seq, thread, id, type, at, body, internal) "
                + "VALUES ('bare', $seq, 't', $id, 'x', 0, $body, 0)";
            var seq = command.Parameters.Add("$seq", SqliteType.Integer);
            var id = command.Parameters.Add("$id", SqliteType.Text);
            command.Parameters.AddWithValue("$body", Body);
            for (var i = 1; i <= Sessions * EventsEach; i++)
            {
                seq.Value = (batch * Sessions * EventsEach) + i;
                id.Value = $"sevt_{seq.Value}";
                command.ExecuteNonQuery();
            }

            transaction.Commit();
        }
    }
}
