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

    private const string Channel = "tenon_log";

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

    private static readonly TimeSpan Reconnect = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Doublings of that wait, one for each failed append in a row: a turn that goes on asks its model again, which
    /// costs, and a database that refuses for good would have it asked for ever. 32 seconds at most.
    /// </summary>
    private const int DoublingsMax = 7;

    private readonly string _connectionString = new NpgsqlConnectionStringBuilder(settings.ConnectionString)
    {
        Pooling = false,
        KeepAlive = 5, // Seconds. A connection that nobody uses must still notice that the other end is gone.
    }.ConnectionString;

    private readonly string _process = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
    private Action _disconnect = () => { };
    private int _doubts;
    private long _epoch;

    public bool IsOwner => Epoch != 0;

    /// <summary>Which ownership this process has, to be compared in the database; 0 when it has none.</summary>
    public long Epoch
    {
        get => Volatile.Read(ref _epoch);
        private set => Volatile.Write(ref _epoch, value);
    }

    /// <summary>The notifications that tell other processes of appends to these sessions.</summary>
    public string[] Notify(IEnumerable<string> sessions) =>
        [.. sessions.Chunk(IdsMax).Select(ids => $"{_process} {string.Join(' ', ids)}")];

    public static string NotifySql => $"SELECT pg_notify('{Channel}', text) FROM unnest($1) AS t(text)";

    /// <summary>
    /// An append has failed, so turns were cut short: the connection is made anew, and the owner told to look after
    /// them, as soon as the database takes it.
    /// </summary>
    public void Doubt()
    {
        _doubts = Math.Min(_doubts + 1, DoublingsMax);
        _disconnect();
    }

    /// <summary>An append was written.</summary>
    public void Trust() => _doubts = 0;

    public async Task Follow(Func<DatabaseNews, Task> tell, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Not disposed, because a failing append may disconnect at any time; it has nothing to dispose of.
            var doubt = new CancellationTokenSource();
            _disconnect = doubt.Cancel;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(doubt.Token, cancellationToken);
            try
            {
                await using var connection = await Connect(stop.Token);
                await tell(new Connected());
                await Stay(connection, tell, stop.Token);
                return;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // Whoever needs the database now fails and says so. Here it is waited for, for as long as it takes.
                await tell(new Disconnected(exception));
            }

            await Task.Delay(Reconnect * Math.Pow(2, _doubts), clock, cancellationToken);
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
                + $"LISTEN {Channel}", connection);
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
        connection.Notification += (_, notification) => Hear(notification.Payload, heard);
        var holds = false;
        for (var polls = 0; ; polls++)
        {
            if (!holds)
            {
                holds = await TryLock(connection, cancellationToken);
                if (IsOwner && await ReadEpoch(connection, cancellationToken) != Epoch)
                {
                    Epoch = 0;
                    await tell(new Superseded());
                    return;
                }

                if (holds)
                {
                    Epoch = IsOwner ? Epoch : await Claim(connection, cancellationToken);
                    await tell(new Owned());
                }
                else if (polls == PollsBeforeStandby)
                {
                    await tell(new Standby());
                }
            }

            var poll = polls < PollsBeforeStandby ? Poll : StandbyPoll;
            await connection.WaitAsync(holds ? Timeout.InfiniteTimeSpan : poll, cancellationToken);
            if (heard.Count > 0)
            {
                var sessions = heard.ToList();
                heard.Clear();
                await tell(new Appended(sessions));
            }
        }
    }

    private void Hear(string payload, HashSet<string> heard)
    {
        if (payload.Split(' ') is [var process, .. var sessions] && process != _process)
        {
            heard.UnionWith(sessions);
        }
    }

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
