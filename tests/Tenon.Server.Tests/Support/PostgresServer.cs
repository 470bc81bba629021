using Tenon.Server.Tests.Support;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresRun))]

namespace Tenon.Server.Tests.Support;

/// <summary>The PostgreSQL of a test run and a server on it, both started when the first test asks.</summary>
public sealed class PostgresRun : IAsyncDisposable
{
    private static readonly Lazy<Task<PostgresCluster>> LazyCluster = new(PostgresCluster.Start);

    private readonly Lazy<Task<TestServer>> _server =
        new(async () => await TestServer.Start(postgres: await NewDatabase()));

    public Task<TestServer> Server => _server.Value;

    /// <summary>The connection string of a database of the caller's own.</summary>
    public static async Task<string> NewDatabase() => await (await LazyCluster.Value).NewDatabase();

    public static async Task<string> NewEmptyDatabase() => await (await LazyCluster.Value).NewEmptyDatabase();

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
        {
            await (await _server.Value).DisposeAsync();
        }

        if (LazyCluster.IsValueCreated)
        {
            await (await LazyCluster.Value).DisposeAsync();
        }
    }
}

/// <summary>The server on PostgreSQL that the classes of a run share.</summary>
public sealed class PostgresServer(PostgresRun run) : IAsyncLifetime
{
    public TestServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await run.Server;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
