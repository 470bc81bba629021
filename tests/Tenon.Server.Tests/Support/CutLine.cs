using System.Net.Sockets;
using System.Text;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// A socket before a PostgreSQL's own. It passes everything on, and on demand loses the answer to one statement: the
/// statement arrives and takes effect, and the line breaks before anything comes back.
/// </summary>
public sealed class CutLine : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _target;
    private readonly Task _accepting;
    private volatile string? _statement;
    private int _lost;

    public CutLine(string target)
    {
        _target = target;
        _listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.Path, Path.GetFileName(target))));
        _listener.Listen();
        _accepting = Accept();
    }

    /// <summary>The folder to name as the host.</summary>
    public string Folder => _folder.Path;

    /// <summary>How many answers were lost.</summary>
    public int Lost => _lost;

    public void LoseAnswerTo(string statement) => _statement = statement;

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        _folder.Dispose();
    }

    private async Task Accept()
    {
        var lines = new List<Task>();
        try
        {
            while (true)
            {
                lines.Add(Pass(await _listener.AcceptAsync()));
            }
        }
        catch (SocketException)
        {
            // Disposed: those who are connected hang up themselves.
        }

        await Task.WhenAll(lines);
    }

    private async Task Pass(Socket client)
    {
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await server.ConnectAsync(new UnixDomainSocketEndPoint(_target));
        var loses = false;
        using (client)
        {
            var up = Pump(client, server, bytes =>
            {
                if (_statement is { } statement
                    && Encoding.UTF8.GetString(bytes.Span).Contains(statement, StringComparison.Ordinal))
                {
                    _statement = null;
                    loses = true;
                }

                return true;
            });
            var down = Pump(server, client, _ =>
            {
                _lost += loses ? 1 : 0;
                return !loses;
            });
            await Task.WhenAny(up, down);
            client.Dispose();
            server.Dispose();
            await Task.WhenAll(up, down);
        }
    }

    private static async Task Pump(Socket from, Socket to, Func<ReadOnlyMemory<byte>, bool> passes)
    {
        var buffer = new byte[65_536];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var count && passes(buffer.AsMemory(0, count)))
            {
                await to.SendAsync(buffer.AsMemory(0, count));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // One end has hung up; the other is hung up next.
        }
    }
}
