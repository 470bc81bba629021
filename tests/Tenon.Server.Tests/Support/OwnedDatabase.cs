using Tenon.Server.Events;
using Tenon.Server.Storage;

namespace Tenon.Server.Tests.Support;

/// <summary>An open database whose sessions are this test's.</summary>
public sealed class OwnedDatabase : IAsyncDisposable
{
    private readonly IDatabase _database;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _following;

    /// <param name="folder">Where SQLite keeps its file.</param>
    /// <param name="postgres">The connection string of a PostgreSQL database in its place; null takes SQLite.</param>
    public OwnedDatabase(string folder, string? postgres)
    {
        _database = postgres is null
            ? new SqliteDatabase(Path.Combine(folder, "tenon.db"))
            : new PostgresDatabase(postgres, TimeProvider.System);
        _database.Migrate();
        var owned = new TaskCompletionSource();
        _following = _database.Follow(
            news =>
            {
                _ = news is Owned && owned.TrySetResult();
                return Task.CompletedTask;
            },
            _stop.Token);
        owned.Task.GetAwaiter().GetResult();
    }

    public IEventLog Log => _database.Log;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        (_database as SqliteDatabase)?.Close();
        if (_database is PostgresDatabase opened)
        {
            await opened.DisposeAsync();
        }
    }
}
