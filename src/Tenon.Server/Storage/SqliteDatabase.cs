using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using System.Data.Common;
using System.Threading.Channels;

namespace Tenon.Server.Storage;

/// <summary>
/// One SQLite file: where it is, how it is opened, how it is brought up to date.
/// </summary>
public sealed class SqliteDatabase : IDatabase
{
    // NOTE: SQLite waits here itself. The driver's own retry sleeps 150 ms between tries, far above a flush.
    private const int BusyTimeoutMs = 10_000;

    /// <summary>A check of health waits no longer for another program: its asker does not either.</summary>
    private const int CheckTimeoutMs = 1_000;

    /// <summary>What must fit on the disk before entries are taken again: some hundred of them.</summary>
    private const int ProbeBytes = 256 * 1024;

    /// <summary>Larger files are not read through at a start, which would take seconds; a backup does it.</summary>
    private const long CheckedBytesMax = 256L * 1024 * 1024;

    private static readonly TimeSpan ProbeEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(1);

    private readonly DbContextOptions<SqliteContext> _options;
    private readonly string _connectionString;
    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly SqliteLog _log;

    // One report stands for all that come before it is read: what is looked for after it is the same.
    private readonly Channel<Exception> _reports = Channel.CreateBounded<Exception>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private volatile Exception? _fault;
    private long? _checkedAt;

    /// <param name="path">Its file.</param>
    /// <param name="clock">By which a disk in trouble is looked at again; the system's when null.</param>
    public SqliteDatabase(string path, TimeProvider? clock = null)
    {
        (_path, _clock) = (path, clock ?? TimeProvider.System);
        _connectionString = new SqliteConnectionStringBuilder
        {
            DataSource = path, Pooling = true, DefaultTimeout = BusyTimeoutMs / 1_000,
        }.ToString();
        _options = new DbContextOptionsBuilder<SqliteContext>()
            .UseSqlite(_connectionString)
            .AddInterceptors(new PragmaInterceptor(), new FaultInterceptor(this), new WriteInterceptor(this))
            .Options;
        _log = new SqliteLog(this);
    }

    public IEventLog Log => _log;

    public TenonContext CreateDbContext() => new SqliteContext(_options);

    /// <summary>
    /// An open connection with the pragmas set. The caller disposes it, which returns it to the pool.
    /// </summary>
    public SqliteConnection Open() => Open(_connectionString);

    /// <summary>One outside the pool: closing it ends it, with whatever it has begun.</summary>
    public SqliteConnection OpenAlone() =>
        Open(new SqliteConnectionStringBuilder(_connectionString) { Pooling = false }.ToString());

    public void Migrate()
    {
        try
        {
            CreatePrivately();
            RefuseDamaged();
            using var context = CreateDbContext();

            // The framework's own lock is a row that a killed start leaves behind, and for which the next one would
            // wait for ever. The data folder is this process's, so nobody else can be migrating.
            context.Database.ExecuteSqlRaw("DROP TABLE IF EXISTS \"__EFMigrationsLock\"");
            context.Database.Migrate();
            context.Database.ExecuteSqlRaw("PRAGMA journal_mode=WAL");
        }
        catch (SqliteException exception) when (DatabaseFault.IsDamage(exception))
        {
            throw new DamagedDatabaseException(_path, exception.Message);
        }
        catch (SqliteException exception) when (DiskTrouble.Of(exception) is { } trouble)
        {
            throw new IOException($"{_path}: {trouble.Message} ({exception.Message})", exception);
        }
    }

    /// <summary>
    /// The data folder is locked for this process, so what there is to hear is that the disk was in trouble, and that
    /// it is over. A damaged database stays so.
    /// </summary>
    public async Task Follow(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken)
    {
        await tell(new Owned());
        while (true)
        {
            var fault = await _reports.Reader.ReadAsync(cancellationToken);
            await tell(new Disconnected(fault));
            do
            {
                await Task.Delay(ProbeEvery, timeProvider: _clock, cancellationToken);
            }
            while (!await TryGoOn(tell, cancellationToken));
        }
    }

    public void Report(Exception fault)
    {
        if (DiskTrouble.Of(fault) is { } trouble)
        {
            // Damage does not pass, whatever comes after it.
            _fault = _fault is { } known && DatabaseFault.IsDamage(known) ? known
                : trouble.Passes ? fault : new DamagedDatabaseException(_path, fault.Message);
        }

        _reports.Writer.TryWrite(fault);
    }

    /// <summary>Refuses to write to a damaged database, which could make it worse.</summary>
    /// <exception cref="DamagedDatabaseException">It is.</exception>
    public void RefuseWrites()
    {
        if (_fault is DamagedDatabaseException damaged)
        {
            throw damaged;
        }
    }

    /// <summary>There are no other processes.</summary>
    public Task TellEnvironmentsChanged(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Also says so when it cannot be written. Asked often, it answers what it found a moment ago.</summary>
    public async Task Check(CancellationToken cancellationToken)
    {
        if (_fault is { } known)
        {
            throw new IOException(known.Message, known);
        }

        if (_checkedAt is { } at && _clock.GetElapsedTime(at) < CheckEvery)
        {
            return;
        }

        await Task.Run(WriteLittle, cancellationToken).WaitAsync(cancellationToken);
        _checkedAt = _clock.GetTimestamp();
    }

    /// <summary>Closes every connection, so that the file can be moved or deleted.</summary>
    public void Close()
    {
        _log.Close();
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
    }

    private static SqliteConnection Open(string connectionString)
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        SetPragmas(connection);
        return connection;
    }

    // The database's own side files take their mode from it.
    private void CreatePrivately() => new FileStream(_path, new FileStreamOptions
    {
        Mode = FileMode.OpenOrCreate,
        Access = FileAccess.Write,
        Share = FileShare.ReadWrite,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    }).Dispose();

    private void RefuseDamaged()
    {
        if (new FileInfo(_path).Length > CheckedBytesMax)
        {
            return;
        }

        using var connection = Open();
        if (Ask(connection, "PRAGMA quick_check(1)") is string problem and not "ok")
        {
            throw new DamagedDatabaseException(_path, problem);
        }
    }

    private async Task<bool> TryGoOn(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken)
    {
        try
        {
            RefuseWrites();
            await Task.Run(WriteMuch, cancellationToken);
            _fault = null;
            await tell(new Connected());
            await tell(new Owned());
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Not over yet, or something failed once more on the way: it is looked at again.
            _fault = DiskTrouble.Of(exception) is null || _fault is DamagedDatabaseException ? _fault : exception;
            return false;
        }
    }

    private void WriteLittle()
    {
        try
        {
            using var connection = Open();
            Ask(connection, $"PRAGMA busy_timeout={CheckTimeoutMs}");

            // The driver's own retry would go on for the connection's time.
            connection.DefaultTimeout = CheckTimeoutMs / 1_000;
            Ask(connection, "PRAGMA user_version=0");
        }
        catch (SqliteException exception)
        {
            // Here, because who asked may have gone meanwhile, and the next one shall hear it.
            Report(exception);
            throw;
        }
    }

    // By new connections: one that was opened while the disk was read-only stays so.
    private void WriteMuch()
    {
        Close();
        using var connection = Open();
        Ask(connection, "CREATE TABLE IF NOT EXISTS tenon_probe (content)");
        Ask(connection, $"INSERT INTO tenon_probe VALUES (zeroblob({ProbeBytes}))");
        Ask(connection, "DROP TABLE tenon_probe");
    }

    private static object? Ask(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }

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

    private sealed class FaultInterceptor(SqliteDatabase database) : DbCommandInterceptor
    {
        public override void CommandFailed(DbCommand command, CommandErrorEventData eventData) => Tell(eventData);

        public override Task CommandFailedAsync(
            DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
        {
            Tell(eventData);
            return Task.CompletedTask;
        }

        private void Tell(CommandErrorEventData eventData)
        {
            if (DiskTrouble.Of(eventData.Exception) is not null)
            {
                database.Report(eventData.Exception);
            }
        }
    }

    private sealed class WriteInterceptor(SqliteDatabase database) : SaveChangesInterceptor
    {
        public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            database.RefuseWrites();
            return new ValueTask<InterceptionResult<int>>(result);
        }
    }
}
