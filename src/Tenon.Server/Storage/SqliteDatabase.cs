using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using System.Data.Common;

namespace Tenon.Server.Storage;

/// <summary>
/// One SQLite file: where it is, how it is opened, how it is brought up to date.
/// </summary>
public sealed class SqliteDatabase : IDatabase
{
    // NOTE: SQLite waits here itself. The driver's own retry sleeps 150 ms between tries, far above a flush.
    private const int BusyTimeoutMs = 10_000;

    private readonly DbContextOptions<TenonContext> _options;
    private readonly string _connectionString;
    private readonly string _path;

    public SqliteDatabase(string path)
    {
        _path = path;
        _connectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = true }.ToString();
        _options = new DbContextOptionsBuilder<TenonContext>()
            .UseSqlite(_connectionString)
            .AddInterceptors(new PragmaInterceptor())
            .Options;
        Log = new SqliteLog(this);
    }

    public IEventLog Log { get; }

    public TenonContext CreateDbContext() => new(_options);

    /// <summary>
    /// An open connection with the pragmas set. The caller disposes it, which returns it to the pool.
    /// </summary>
    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        SetPragmas(connection);
        return connection;
    }

    public void Migrate()
    {
        CreatePrivately();
        using var context = CreateDbContext();
        context.Database.Migrate();
        context.Database.ExecuteSqlRaw("PRAGMA journal_mode=WAL");
    }

    /// <summary>The data folder is locked for this process, so there is nobody else to hear from.</summary>
    public Task Follow(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken) => tell(new Owned());

    public async Task Check(CancellationToken cancellationToken)
    {
        await using var connection = Open();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT 1";
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>Closes the pooled connections, so that the file can be moved or deleted.</summary>
    public void Close()
    {
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
    }

    // The database's own side files take their mode from it.
    private void CreatePrivately() => new FileStream(_path, new FileStreamOptions
    {
        Mode = FileMode.OpenOrCreate,
        Access = FileAccess.Write,
        Share = FileShare.ReadWrite,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    }).Dispose();

    private static void SetPragmas(DbConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA busy_timeout={BusyTimeoutMs}; PRAGMA synchronous=FULL;";
        command.ExecuteNonQuery();
    }

    private sealed class PragmaInterceptor : DbConnectionInterceptor
    {
        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) =>
            SetPragmas(connection);

        public override Task ConnectionOpenedAsync(
            DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            SetPragmas(connection);
            return Task.CompletedTask;
        }
    }
}
