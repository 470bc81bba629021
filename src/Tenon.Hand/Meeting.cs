using System.Net.Sockets;
using Tenon.Hand.Processes;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>
/// A socket that the hand makes, where nothing can hand it one. The server takes it away from its path before it asks
/// the hand for anything, so that no command ever sees it.
/// </summary>
internal static class Meeting
{
    private const int Backlog = 8;
    private const int LastStandard = 2;

    /// <param name="path">It stands there once it listens, and not before.</param>
    public static Socket Listen(string path)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path + HandProtocol.NewSocketSuffix));
        listener.Listen(Backlog);
        File.Move(path + HandProtocol.NewSocketSuffix, path);
        LeaveLog();
        return listener;
    }

    /// <summary>
    /// Nothing more is written to the log of the start, which is a file of the host's: the kernel that takes no socket
    /// from outside lets commands open whatever the hand has open.
    /// </summary>
    private static void LeaveLog()
    {
        const int ReadWrite = 2;
        var nothing = Kernel.Open("/dev/null", ReadWrite, 0);
        for (var descriptor = 0; descriptor <= LastStandard; descriptor++)
        {
            _ = Kernel.Duplicate(nothing, descriptor);
        }

        _ = Kernel.Close(nothing);
    }
}
