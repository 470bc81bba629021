using Npgsql;
using System.Threading.Channels;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>What a PostgreSQL may do to those who are connected, short of losing its power.</summary>
public sealed class DatabaseFaultTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("57P01", true)]
    [InlineData("57P02", true)]
    [InlineData("57P03", true)]
    [InlineData("57P05", true)]
    [InlineData("53100", true)]
    [InlineData("23505", false)]
    [InlineData("42P01", false)]
    public void What_a_server_says_as_it_goes_is_an_outage_and_a_refusal_is_none(string state, bool isOutage)
    {
        var said = new PostgresException("said", "FATAL", "FATAL", state);

        Assert.Equal(isOutage, DatabaseFault.IsOutage(said));
        Assert.Equal(isOutage, DatabaseFault.IsOutage(new InvalidOperationException("from the mapper", said)));
    }

    [Fact]
    public async Task A_connection_that_the_server_has_ended_is_an_outage_once()
    {
        var postgres = await PostgresRun.NewDatabase();
        await using var database = new PostgresDatabase(postgres, TimeProvider.System);
        await database.Check(Cancelled);
        await EndConnections(postgres);

        var fault = await Record.ExceptionAsync(() => database.Check(Cancelled));

        Assert.True(fault is not null && DatabaseFault.IsOutage(fault), $"{fault}");
        await database.Check(Cancelled);
    }

    [Fact]
    public async Task An_owner_that_reports_a_fault_is_told_again_that_the_sessions_are_its_own()
    {
        await using var database = new PostgresDatabase(await PostgresRun.NewDatabase(), TimeProvider.System);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var owned = Channel.CreateUnbounded<Owned>();
        var following = database.Follow(
            news => news is Owned told ? owned.Writer.WriteAsync(told).AsTask() : Task.CompletedTask, stop.Token);
        stop.CancelAfter(TestStream.Patience);
        await owned.Reader.ReadAsync(stop.Token);

        database.Report(new SequenceConflictException("s", 1, 2));

        await owned.Reader.ReadAsync(stop.Token);
        await stop.CancelAsync();
        await following.ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private static async Task EndConnections(string postgres)
    {
        await using var connection = new NpgsqlConnection(postgres + ";Pooling=false");
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            + "WHERE datname=current_database() AND pid<>pg_backend_pid()", connection);
        await command.ExecuteNonQueryAsync(Cancelled);
    }
}
