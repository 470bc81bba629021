using Npgsql;
using System.Security.Cryptography;

namespace Tenon.Server.Storage;

/// <summary>
/// This process among those that have a database open, by one connection that it keeps: it holds the lock of the
/// sessions' owner, or waits for it, and hears what the owner appends.
/// </summary>
/// <remarks>
/// The lock goes with the connection, so a dead owner's is free at once. Who takes it counts up the epoch, which every
/// append checks: an owner that was cut off and does not know it yet writes nothing more.
/// </remarks>
internal sealed class PostgresMembership(NpgsqlConnectionStringBuilder settings, TimeProvider clock)
{
    /// <summary>The advisory lock of the sessions' owner: "Tenon" in ASCII.</summary>
    private const long OwnerLock = 0x54656E6F6E;

    private const string LogChannel = "tenon_log";
    private const string EnvironmentChannel = "tenon_environment";

    /// <summary>Session ids in one notification, whose payload may have 8000 bytes.</summary>
    private const int IdsMax = 100;

    /// <summary>
    /// How often a process that starts asks for the lock, and how many times before it says that another has it: an
    /// owner that was restarted may find its last life's connection still closing.
    /// </summary>
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private const int PollsBeforeStandby = 10;

    /// <summary>How often a process that stands by asks: a take-over may take this long, and a question costs little.
    /// </summary>
    private static readonly TimeSpan StandbyPoll = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// How often the owner makes sure that it still is: it asks by the connection that holds its lock, so that a line
    /// that is dead shows too.
    /// </summary>
    private static readonly TimeSpan OwnerPoll = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Reconnect = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// What a process that stood by leaves to the owner when the database was away for both: the sandboxes are there.
    /// </summary>
    private static readonly TimeSpan OwnersAdvantage = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long the owner leaves turns alone that a failed append has cut short, and how often that doubles, once for
    /// each failure in a row: a turn that goes on asks its model again, which costs. 32 seconds at most.
    /// </summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(250);
    private const int RestDoublingsMax = 7;

    private readonly string _connectionString = new NpgsqlConnectionStringBuilder(settings.ConnectionString)
    {
        Pooling = false,
        CommandTimeout = 5, // Seconds. Every command here is answered at once, or by nobody.
    }.ConnectionString;

    private long _epoch;
    private int _failures;
    private bool _isConnectedAgain;

    // When turns that a failed append has cut short are to be looked after; null when there are none.
    private volatile object? _lookAfterAt;

    /// <summary>What every notification begins with, so that nobody hears its own.</summary>
    public string Process { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    public bool IsOwner => Epoch != 0;

    /// <summary>Which ownership this process has, to be compared in the database; 0 when it has none.</summary>
    public long Epoch
    {
        get => Volatile.Read(ref _epoch);
        private set => Volatile.Write(ref _epoch, value);
    }

    /// <summary>The notifications that tell other processes of appends to these sessions.</summary>
    public string[] Notify(IEnumerable<string> sessions) =>
        [.. sessions.Chunk(IdsMax).Select(ids => $"{Process} {string.Join(' ', ids)}")];

    public static string NotifySql => $"SELECT pg_notify('{LogChannel}', text) FROM unnest($1) AS t(text)";

    /// <summary>Tells other processes that environments have changed; <c>$1</c> is <see cref="Process"/>.</summary>
    public static string EnvironmentsSql => $"SELECT pg_notify('{EnvironmentChannel}', $1)";

    /// <summary>An append has failed, so turns were cut short, and the owner is told to look after them.</summary>
    public void Failed()
    {
        _lookAfterAt = RestsUntil();
        _failures = Math.Min(_failures + 1, RestDoublingsMax);
    }

    /// <summary>A turn was cut short, and its session is free for a new owner: it is looked after, if not soon anyway.
    /// </summary>
    public void LookAfter() => _lookAfterAt ??= RestsUntil();

    public void Succeeded() => _failures = 0;

    public async Task Follow(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await using var connection = await Connect(cancellationToken);
                await tell(new Connected());
                await Stay(connection, tell, cancellationToken);
                return;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // Whoever needs the database now fails and says so. Here it is waited for, for as long as it takes.
                await tell(new Disconnected(exception));
            }

            await Task.Delay(Reconnect, clock, cancellationToken);
            _isConnectedAgain = true;
        }
    }

    private async Task<NpgsqlConnection> Connect(CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(_connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);

            // The lock of a machine that has lost its power is free after these 20 seconds, and not after two hours.
            await using var command = new NpgsqlCommand(
                "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; "
                + $"LISTEN {LogChannel}; LISTEN {EnvironmentChannel}", connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Returns when another process has taken over what this one owned.</summary>
    private async Task Stay(
        NpgsqlConnection connection, Func<DatabaseNews, Task> tell, CancellationToken cancellationToken)
    {
        var heard = new HashSet<string>(StringComparer.Ordinal);
        var haveChanged = false;
        connection.Notification += (_, notification) =>
        {
            string[] words = notification.Payload.Split(' ');
            var isOthers = words[0] != Process;
            haveChanged |= isOthers && notification.Channel == EnvironmentChannel;
            heard.UnionWith(isOthers && notification.Channel == LogChannel ? words[1..] : []);
        };
        var asksFrom = clock.GetUtcNow() + (_isConnectedAgain && !IsOwner ? OwnersAdvantage : TimeSpan.Zero);
        var holds = false;
        for (var polls = 0; ; polls++)
        {
            var takes = !holds && clock.GetUtcNow() >= asksFrom && await TryLock(connection, cancellationToken);
            holds |= takes;
            if (IsOwner && await ReadEpoch(connection, cancellationToken) != Epoch)
            {
                Epoch = 0;
                await tell(new Superseded());
                return;
            }

            if (takes || (holds && _lookAfterAt is DateTimeOffset due && clock.GetUtcNow() >= due))
            {
                _lookAfterAt = null;
                Epoch = IsOwner ? Epoch : await Claim(connection, cancellationToken);
                await tell(new Owned());
            }

            if (!holds && polls == PollsBeforeStandby)
            {
                await tell(new Standby());
            }

            await connection.WaitAsync(
                holds ? OwnerPoll : polls < PollsBeforeStandby ? Poll : StandbyPoll, cancellationToken);
            if (heard.Count > 0)
            {
                var sessions = heard.ToList();
                heard.Clear();
                await tell(new Appended(sessions));
            }

            if (haveChanged)
            {
                haveChanged = false;
                await tell(new EnvironmentsChanged());
            }
        }
    }

    private DateTimeOffset RestsUntil() => clock.GetUtcNow() + (Rest * Math.Pow(2, _failures));

    /// <summary>
    /// Keeps every process from owning the sessions until the transaction ends; false when one does.
    /// </summary>
    public static async Task<bool> TryLockForTransaction(
        NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_try_advisory_xact_lock($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = OwnerLock });
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task<bool> TryLock(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = OwnerLock });
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task<long> ReadEpoch(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT epoch FROM owner", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task<long> Claim(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "INSERT INTO owner (id, epoch) VALUES (1, 1) "
            + "ON CONFLICT (id) DO UPDATE SET epoch = owner.epoch + 1 RETURNING epoch", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
