using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tenon.Bench;

/// <summary>The floor of a fan-out: the same frame to the same readers, from a loop that only sends.</summary>
internal sealed class BareFanOut : IDisposable
{
    private static readonly byte[] Head = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\n\r\n");

    /// <summary>As long as the frame of an interrupt.</summary>
    private static readonly byte[] Frame =
        Encoding.ASCII.GetBytes("id: 1\nevent: user.interrupt\ndata: " + new string('x', 140) + "\n\n");

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> _readers = [];

    public BareFanOut() => _listener.Start();

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Takes so many readers in, and tells each of them that its stream is open.</summary>
    public async Task Take(int count)
    {
        while (_readers.Count < count)
        {
            var reader = await _listener.AcceptSocketAsync();
            reader.NoDelay = true;
            await reader.SendAsync(Head);
            _readers.Add(reader);
        }
    }

    public void Send()
    {
        foreach (var reader in _readers)
        {
            reader.Send(Frame);
        }
    }

    public void Dispose()
    {
        _readers.ForEach(reader => reader.Dispose());
        _listener.Dispose();
    }
}
