using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tenon.Server.Storage;

/// <summary>A PostgreSQL database, which several processes may have open.</summary>
public sealed class PostgresDatabase : IDatabase, IAsyncDisposable
{
    /// <summary>Statements that a connection keeps prepared; there are about half as many.</summary>
    private const int PreparedMax = 64;

    private readonly NpgsqlDataSource _source;
    private readonly PostgresMembership _membership;
    private readonly DbContextOptions<PostgresContext> _options;

    /// <param name="connectionString">Npgsql's keywords. It holds a password and is never shown.</param>
    /// <exception cref="FormatException">It is not a connection string; the message tells nothing of it.</exception>
    public PostgresDatabase(string connectionString, TimeProvider clock)
    {
        var settings = Parse(connectionString);
        _source = NpgsqlDataSource.Create(settings);
        _membership = new PostgresMembership(settings, clock);
        _options = new DbContextOptionsBuilder<PostgresContext>().UseNpgsql(_source).Options;
        Log = new PostgresLog(_source, _membership, clock);
    }

    public IEventLog Log { get; }

    public TenonContext CreateDbContext() => new PostgresContext(_options);

    public void Migrate()
    {
        using var context = CreateDbContext();
        context.Database.Migrate();
    }

    public Task Follow(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken) => _membership.Follow(
        news =>
        {
            if (news is Connected)
            {
                // Connections from before an outage are dead, and would fail once each.
                _source.Clear();
            }

            return tell(news);
        },
        cancellationToken);

    public async Task TellEnvironmentsChanged(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(PostgresMembership.EnvironmentsSql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _membership.Process });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task Check(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand("SELECT 1");
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>
    /// A failed append has told the membership itself, but the owner that lost it may only have gone now.
    /// </summary>
    public void Report(Exception fault) => _membership.LookAfter();

    /// <summary>A connection of the caller's own; disposing it returns it to the pool.</summary>
    public async Task<NpgsqlConnection> Open(CancellationToken cancellationToken) =>
        await _source.OpenConnectionAsync(cancellationToken);

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <exception cref="FormatException">As at the constructor.</exception>
    public static NpgsqlConnectionStringBuilder Parse(string connectionString)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            // The driver's message may quote a piece of the password, so it goes no further.
            settings = new NpgsqlConnectionStringBuilder();
        }

        if (string.IsNullOrEmpty(settings.Host))
        {
            throw new FormatException(
                "it is not a connection string of the form Host=…;Database=…;Username=…;Password=… "
                + "(a URL such as postgres://… is none).");
        }

        settings.ApplicationName ??= "tenon";
        settings.MaxAutoPrepare = PreparedMax;

        // A server or a role may have it off; what Tenon has acknowledged survives the loss of the database's power.
        settings.Options = $"{settings.Options} -c synchronous_commit=on".TrimStart();
        return settings;
    }
}
