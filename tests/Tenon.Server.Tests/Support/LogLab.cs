using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Tenon.Server.Events;
using Tenon.Server.Storage;

namespace Tenon.Server.Tests.Support;

/// <summary>A log on a database of its own, with a clock that only the test moves.</summary>
public sealed class LogLab : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string? _postgres;
    private OwnedDatabase _database = null!;

    /// <param name="postgres">The connection string of its database; null takes SQLite.</param>
    public LogLab(string? postgres = null)
    {
        _postgres = postgres;
        Open();
    }

    public FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public Feed Feed { get; private set; } = null!;

    public EventLog Log { get; private set; } = null!;

    /// <summary>Closes the log and opens it again, as a restart does.</summary>
    public async Task Reopen()
    {
        await Close();
        Open();
    }

    /// <summary>Appends behind what is there.</summary>
    public Task Append(string session, params LogEntry[] entries) => Append(session, entries[0].Seq - 1, entries);

    public Task Append(string session, long expected, params LogEntry[] entries) =>
        Log.Append(new LogAppend { Session = session, ExpectedSeq = expected, Entries = entries });

    public static LogEntry Entry(
        long seq, string type = "agent.message", string? id = null, bool isInternal = false, long at = 0,
            string extra = "")
    {
        var eventId = id ?? $"sevt_{seq}";
        var body = $$"""{"type":"{{type}}","id":"{{eventId}}","n":{{seq}}{{extra}}}""";
        return new LogEntry(seq, "sthr_1", eventId, type, at, body, isInternal);
    }

    public Task<IReadOnlyList<LogEntry>> List(string session, Func<LogQuery, LogQuery>? change = null)
    {
        var query = new LogQuery { Session = session, Thread = "sthr_1", Limit = 1_000 };
        return Log.List(change is null ? query : change(query), CancellationToken.None);
    }

    /// <summary>
    /// Lets a database that plans by what it knows of its rows count them, as it does by itself now and then.
    /// </summary>
    public async Task CountRows()
    {
        if (_postgres is not null)
        {
            await using var connection = new NpgsqlConnection(_postgres);
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand("ANALYZE log", connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Every entry of a session, internal ones included.</summary>
    public async Task<IReadOnlyList<LogEntry>> ReadAll(string session, long after = 0, int limit = 1_000) =>
        await Log.ReadAll(session, after, limit, CancellationToken.None);

    public Task<long> Head(string session) => Log.Head(session, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await Close();
        _folder.Dispose();
    }

    private void Open()
    {
        _database = new OwnedDatabase(_folder.Path, _postgres);
        Feed = new Feed(Clock);
        Log = new EventLog(_database.Log, Feed, NullLogger<EventLog>.Instance);
    }

    private async Task Close()
    {
        await Log.DisposeAsync();
        await _database.DisposeAsync();
    }
}
