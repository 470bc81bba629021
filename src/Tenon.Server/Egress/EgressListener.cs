using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Tenon.Server.Egress;

/// <summary>Takes one session's connections, at most so many at once: others wait in the socket.</summary>
internal sealed class EgressListener(
    EgressSession session, Socket socket, int connectionsMax, Action<Exception> failed) : IAsyncDisposable
{
    private readonly EgressTunnels _tunnels = new();
    private readonly SemaphoreSlim _slots = new(connectionsMax);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, bool> _running = new();
    private Task _accepting = Task.CompletedTask;

    public void Start() => _accepting = Accept();

    public Task Recheck(CancellationToken cancellationToken) => _tunnels.Recheck(session, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        socket.Dispose();
        await _accepting;
        await Task.WhenAll(_running.Keys);
        _stop.Dispose();
        _slots.Dispose();
    }

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                await _slots.WaitAsync(_stop.Token);
                var client = await socket.AcceptAsync(_stop.Token);
                var serving = Serve(client);
                _running[serving] = true;
                _ = serving.ContinueWith(done => _running.TryRemove(done, out _), TaskScheduler.Default);
            }
        }
        catch (Exception exception) when (_stop.IsCancellationRequested
            && exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The session's sandbox has ended, or the server stops.
        }
        catch (Exception exception)
        {
            // The proxy of this session stands still until its sandbox is opened again.
            failed(exception);
        }
    }

    private async Task Serve(Socket client)
    {
        await Task.Yield();
        try
        {
            await using var stream = new NetworkStream(client, ownsSocket: true);
            using var connection = new EgressConnection(session, _tunnels, stream);
            await connection.Serve(_stop.Token);
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException
            or ObjectDisposedException)
        {
            // The sandbox went away in the middle, or said nothing for too long.
        }
        catch (Exception exception)
        {
            // A fault of the proxy's own ends one connection and no other.
            failed(exception);
        }
        finally
        {
            if (!_stop.IsCancellationRequested)
            {
                _slots.Release();
            }
        }
    }
}

/// <summary>The tunnels that a session has open.</summary>
internal sealed class EgressTunnels
{
    private readonly ConcurrentDictionary<OpenTunnel, bool> _open = new();

    public IDisposable Add(OpenTunnel tunnel)
    {
        _open[tunnel] = true;
        return new Entry(this, tunnel);
    }

    /// <summary>Ends those that the rules of now do not allow.</summary>
    public async Task Recheck(EgressSession session, CancellationToken cancellationToken)
    {
        foreach (var tunnel in _open.Keys)
        {
            if (!await session.Allows(tunnel.Host, tunnel.Port, cancellationToken))
            {
                tunnel.Cut("the environment no longer allows this host");
            }
        }
    }

    private sealed class Entry(EgressTunnels tunnels, OpenTunnel tunnel) : IDisposable
    {
        public void Dispose() => tunnels._open.TryRemove(tunnel, out _);
    }
}

/// <summary>A connection that stays when a request is over.</summary>
/// <param name="Cut">Ends it, from any thread, for the reason given.</param>
internal sealed record OpenTunnel(string Host, int Port, Action<string> Cut);
