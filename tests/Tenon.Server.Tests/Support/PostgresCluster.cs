using Npgsql;
using System.Diagnostics;
using System.Globalization;
using Tenon.Server.Storage;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// A private PostgreSQL of the distribution, in a folder of its own and reached by a Unix socket alone, with its
/// durability as it is delivered. It ends with the process that started it, however that ends.
/// </summary>
public sealed class PostgresCluster : IAsyncDisposable
{
    private const string Template = "tenon_template";

    /// <summary>The shell waits for its input to end, which it does when this process is gone.</summary>
    private const string Script = """
        pg_ctl -w -s -D "$1/data" -l "$1/log" start \
          -o "-k $1 -c listen_addresses= -c max_connections=400 -c shared_buffers=64MB" && echo ready && cat
        pg_ctl -s -D "$1/data" -m immediate stop
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("tenon-pg-").FullName;
    private Process? _shell;
    private int _databases;

    private PostgresCluster()
    {
    }

    /// <summary>Where its socket is: what a connection string names as the host.</summary>
    public string Folder => _folder;

    public string Socket => Path.Combine(_folder, ".s.PGSQL.5432");

    public static async Task<PostgresCluster> Start()
    {
        var cluster = new PostgresCluster();
        await Run("chown", [User, cluster._folder]);
        await Run("setpriv", [.. AsUser, "initdb", "-D", cluster._folder + "/data", "-U", "tenon", "--auth=trust",
            "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]);
        await cluster.Open();
        await using var admin = await cluster.Admin($"CREATE DATABASE {Template}");
        await using var database = new PostgresDatabase(cluster.ConnectionString(Template), TimeProvider.System);
        database.Migrate();
        return cluster;
    }

    /// <summary>A new, migrated database's connection string, with a password that no output may show.</summary>
    public async Task<string> NewDatabase()
    {
        var name = $"t{Interlocked.Increment(ref _databases).ToString(CultureInfo.InvariantCulture)}";
        await using var admin = await Admin($"CREATE DATABASE {name} TEMPLATE {Template}");
        return ConnectionString(name);
    }

    /// <summary>A new database without tables.</summary>
    public async Task<string> NewEmptyDatabase()
    {
        var name = $"t{Interlocked.Increment(ref _databases).ToString(CultureInfo.InvariantCulture)}";
        await using var admin = await Admin($"CREATE DATABASE {name}");
        return ConnectionString(name);
    }

    /// <summary>Ends it as a loss of power would: no connection is told, and nothing more is written.</summary>
    public async Task Crash()
    {
        _shell!.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
        _shell = null;
    }

    /// <summary>Starts what was ended, which goes through its log.</summary>
    public async Task Open()
    {
        _shell = Process.Start(Command("setpriv", [.. AsUser, "sh", "-c", Script, "sh", _folder]))!;
        if (await _shell.StandardOutput.ReadLineAsync() != "ready")
        {
            throw new InvalidOperationException(
                "The private PostgreSQL did not start: " + await _shell.StandardError.ReadToEndAsync());
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_shell is not null)
        {
            await Crash();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private string ConnectionString(string database) =>
        $"Host={_folder};Username=tenon;Password=s3cret-password;Database={database}";

    /// <summary>Runs a statement outside of the tests' databases; disposing what it answers closes the line.</summary>
    private async Task<NpgsqlConnection> Admin(string sql)
    {
        var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // Names that were made here.
        command.CommandText = sql;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    // PostgreSQL refuses to run as root, and its package makes a user for it.
    private static string User => Environment.IsPrivilegedProcess ? "postgres" : Environment.UserName;

    private static string[] AsUser => Environment.IsPrivilegedProcess
        ? ["--reuid", User, "--regid", User, "--clear-groups", "--"]
        : ["--"];

    private static async Task Run(string program, IReadOnlyList<string> arguments)
    {
        using var process = Process.Start(Command(program, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException(
                $"{program} {string.Join(' ', arguments)} failed; is postgresql installed? {await output}{error}");
        }
    }

    private static ProcessStartInfo Command(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };

        // Debian keeps the programs of each version apart, and none of them on the path.
        var installed = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        var newest = installed.OrderBy(folder => folder.Length).ThenBy(folder => folder, StringComparer.Ordinal)
            .LastOrDefault();
        start.Environment["PATH"] = $"{newest}/bin:{start.Environment["PATH"]}";
        return start;
    }
}
