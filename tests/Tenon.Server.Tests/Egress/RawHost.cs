using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tenon.Server.Tests.Egress;

/// <summary>A host on loopback that keeps every byte it gets and answers each head with the same words.</summary>
internal sealed class RawHost : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly StringBuilder _got = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;
    private readonly SemaphoreSlim _closed = new(0);
    private int _connections;

    /// <param name="answer">Sent after each request's head; null sends none.</param>
    /// <param name="closes">Whether the connection ends with the answer.</param>
    public RawHost(string? answer, bool closes = false)
    {
        _listener.Start();
        _serving = Serve(answer, closes);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int Connections => Volatile.Read(ref _connections);

    public string Got
    {
        get
        {
            lock (_got)
            {
                return _got.ToString();
            }
        }
    }

    /// <summary>Completes when the host has closed another connection.</summary>
    public Task Closed(CancellationToken cancellationToken) => _closed.WaitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _closed.Dispose();
    }

    private async Task Serve(string? answer, bool closes)
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            Interlocked.Increment(ref _connections);
            _ = Answer(client, answer, closes).ContinueWith(_ => _closed.Release(), TaskScheduler.Default);
        }
    }

    private async Task Answer(TcpClient client, string? answer, bool closes)
    {
        using (client)
        {
            var stream = client.GetStream();
            var buffer = new byte[64 * 1024];
            int count;
            while ((count = await stream.ReadAsync(buffer, _stop.Token)) > 0)
            {
                var text = Encoding.Latin1.GetString(buffer, 0, count);
                lock (_got)
                {
                    _got.Append(text);
                }

                if (answer is not null && text.Contains("\r\n\r\n", StringComparison.Ordinal))
                {
                    await stream.WriteAsync(Encoding.Latin1.GetBytes(answer), _stop.Token);
                    if (closes)
                    {
                        return;
                    }
                }
            }
        }
    }
}
