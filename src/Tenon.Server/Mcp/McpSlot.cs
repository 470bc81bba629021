using System.Diagnostics.CodeAnalysis;

namespace Tenon.Server.Mcp;

/// <summary>Where one session's connection to one server is kept. Calls share it; one of them opens it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Who comes late must find the slot retired, and not its lock.")]
internal sealed class McpSlot(TimeProvider clock)
{
    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly Lock _lock = new();
    private McpConnection? _connection;
    private int _users;
    private DateTimeOffset _usedAt;
    private bool _isRetired;

    /// <summary>False when it is being given up, and another one takes its place.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            _users += _isRetired ? 0 : 1;
            return !_isRetired;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            _users--;
            _usedAt = clock.GetUtcNow();
        }
    }

    public void Retire()
    {
        lock (_lock)
        {
            _isRetired = true;
        }
    }

    /// <summary>Gives it up when nobody has used it for so long.</summary>
    public bool TryRetire(TimeSpan idle)
    {
        lock (_lock)
        {
            return !_isRetired && _users == 0 && clock.GetUtcNow() - _usedAt >= idle && (_isRetired = true);
        }
    }

    /// <summary>The connection that is there and good; null for none.</summary>
    public McpConnection? Kept()
    {
        lock (_lock)
        {
            return _connection is { IsOpen: true } connection ? connection : null;
        }
    }

    /// <summary>The same, if its requests carry this token.</summary>
    public McpConnection? Kept(string? token) =>
        Kept() is { } connection && connection.Carries(token) ? connection : null;

    /// <summary>A new connection in place of the one that was there.</summary>
    public async Task<McpConnection> Open(Func<Task<McpConnection>> connect)
    {
        var before = Kept();
        await _opening.WaitAsync();
        try
        {
            // Another call may have opened it while this one waited.
            if (Kept() is { } opened && opened != before)
            {
                return opened;
            }

            await Close();
            var connection = await connect();
            if (!TryKeep(connection))
            {
                await connection.DisposeAsync();
                throw new OperationCanceledException("The session has ended meanwhile.");
            }

            return connection;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>Ends the connection that is there. It is bounded in time, and never throws.</summary>
    public async Task Close()
    {
        McpConnection? connection;
        lock (_lock)
        {
            (connection, _connection) = (_connection, null);
        }

        try
        {
            await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
        catch (Exception)
        {
            // A connection that cannot even be ended well is over.
        }
    }

    private bool TryKeep(McpConnection connection)
    {
        lock (_lock)
        {
            if (!_isRetired)
            {
                _connection = connection;
            }

            return !_isRetired;
        }
    }
}

/// <summary>The use of a slot, until it is disposed.</summary>
internal readonly struct McpPlace(McpSlot slot) : IDisposable
{
    public McpSlot Slot => slot;

    public void Dispose() => slot.Leave();
}
