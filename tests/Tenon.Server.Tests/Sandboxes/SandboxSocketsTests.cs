using System.Net.Sockets;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

public sealed class SandboxSocketsTests
{
    private const int MoreThanMayWait = 32;

    [Fact]
    public async Task Sockets_of_dead_hands_are_taken_away_and_one_that_takes_no_connection_holds_nobody()
    {
        using var folder = new TempFolder();
        var sockets = new SandboxSockets(new SandboxOptions
        {
            DataDirectory = folder.Path, HandPath = "", SocketDirectory = folder.Path,
        });
        var (living, dead) = (sockets.PathFor("hand_living"), sockets.PathFor("hand_dead"));
        SandboxSockets.Listen(dead).Dispose();
        using var listener = SandboxSockets.Listen(living);
        var waiting = Enumerable.Range(0, MoreThanMayWait).Select(_ =>
            new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false }).ToList();
        Assert.Contains(waiting, socket => !TryConnect(socket, living));

        var cancelled = TestContext.Current.CancellationToken;
        await Task.Run(sockets.Collect, cancelled).WaitAsync(TestStream.Patience, cancelled);

        Assert.Equal([living], Directory.EnumerateFiles(folder.Path));
        waiting.ForEach(socket => socket.Dispose());
    }

    private static bool TryConnect(Socket socket, string path)
    {
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.WouldBlock)
        {
            // No more connections can wait.
            return false;
        }
    }
}
