using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using System.Collections.Concurrent;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>A PostgreSQL that loses its power and comes back, and a line that breaks at the worst moment.</summary>
public sealed class OutageTests : IAsyncLifetime
{
    private PostgresCluster _cluster = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _cluster = await PostgresCluster.Start();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_server_says_that_its_database_is_away_and_goes_on_by_itself_when_it_is_back()
    {
        var logged = new LogLines();
        await using var server = await TestServer.Start(
            services => services.AddLogging(logging => logging.AddProvider(logged)), await _cluster.NewDatabase());
        var session = await server.NewSession();
        var idle = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("lost");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("hi"));
        await session.Model.Asked(Cancelled);
        var seen = (await stream.Until("span.model_request_start")).ToList();

        await _cluster.Crash();
        var health = await server.Get("/health");
        var read = await server.Get("/v1/agents");
        var listed = await server.Get($"{session.Path}/events");
        var woken = await idle.Post(TestSession.Says("nobody has read this session's log yet"));
        gate.SetResult();
        var sent = await session.Post(TestSession.Says("and this is not kept"));

        Assert.Equal(
            (503, """{"status":"unavailable","reason":"The database does not answer."}"""),
            (health.Status, health.Json.GetRawText()));
        read.Refused(503, "The database cannot be reached now; try again shortly.");
        listed.Refused(503, "The database cannot be reached now; try again shortly.");
        woken.Refused(503, "The database cannot be reached now; try again shortly.");
        sent.Refused(529, "The event log did not");

        session.Model.Says("kept");
        await _cluster.Open();
        seen.AddRange(await stream.Until("session.status_idle"));

        Assert.Equal(
            (await session.List()).EnumerateArray().Select(json => json.GetRawText()),
            seen.Select(frame => frame.Json.GetRawText()));
        Assert.Equal(["kept"], seen.Where(frame => frame.Name == "agent.message")
            .Select(frame => frame.Json.Text("content.0.text")));
        Assert.Single(seen, frame => frame.Name == "user.message");
        Assert.Equal(200, (await server.Get("/health")).Status);
        session.Model.Says("and on");
        Assert.Equal("session.status_idle", (await session.Run(TestSession.Says("more")))[^1].Name);
        Assert.NotEmpty(logged.Lines);
        Assert.All(logged.Lines, line => Assert.DoesNotContain("s3cret-password", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_append_outlasts_a_short_outage_and_is_kept_once()
    {
        var clock = new FakeTimeProvider();
        await using var database = new PostgresDatabase(await _cluster.NewDatabase(), clock);
        await using var owner = new Following(database);
        await owner.Owned;
        await database.Log.Write([Append(1)]);

        await _cluster.Crash();
        var append = database.Log.Write([Append(2)]);
        await _cluster.Open();
        while (!append.IsCompleted)
        {
            clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        Assert.Equal([null], await append);
        Assert.Equal([1, 2], (await database.Log.ReadAll("s", 0, 10, Cancelled)).Select(entry => entry.Seq));
    }

    [Fact]
    public async Task An_append_whose_answer_is_lost_on_the_way_is_kept_once()
    {
        var postgres = await _cluster.NewDatabase();
        await using var line = new CutLine(_cluster.Socket);
        await using var database = new PostgresDatabase(
            postgres.Replace(_cluster.Folder, line.Folder, StringComparison.Ordinal), TimeProvider.System);
        await using var owner = new Following(database);
        await owner.Owned;

        line.LoseAnswerTo("INSERT INTO log");
        var conflicts = await database.Log.Write([Append(1), Append(2)]);

        Assert.Equal(1, line.Lost);
        Assert.Equal([null, null], conflicts);
        Assert.Equal([1, 2], (await database.Log.ReadAll("s", 0, 10, Cancelled)).Select(entry => entry.Seq));
    }

    private static LogAppend Append(long seq) =>
        new() { Session = "s", ExpectedSeq = seq - 1, Entries = [LogLab.Entry(seq)] };

    /// <summary>Follows a database as a server does.</summary>
    private sealed class Following : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly TaskCompletionSource _owned = new();
        private readonly Task _following;

        public Following(PostgresDatabase database) => _following = database.Follow(
            news =>
            {
                _ = news is Owned && _owned.TrySetResult();
                return Task.CompletedTask;
            },
            _stop.Token);

        public Task Owned => _owned.Task;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }
    }

    /// <summary>Everything that is logged, with exceptions in full.</summary>
    private sealed class LogLines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
