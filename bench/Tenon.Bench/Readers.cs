using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Tenon.Bench;

/// <summary>
/// Many streams of one session in one thread of a process of its own, so that reading them costs little and takes
/// nothing from the server but processor time. They only look for an event in what comes, and note when it came.
/// </summary>
/// <remarks>
/// It says a line when all streams are open, and one after each event: when the reader at half and at 99 %
/// of the line had it, in <see cref="Stopwatch"/> ticks, which all processes of a machine share.
/// </remarks>
internal static unsafe partial class Readers
{
    private const int PollIn = 1;
    private const int Add = 1;
    private const int ReadyMax = 1_024;
    private const int BufferBytes = 64 * 1024;

    /// <summary>The kernel packs its record on x64 alone.</summary>
    private static readonly int RecordInts = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 3 : 4;

    /// <param name="args">The server's port, the session, and how many readers.</param>
    public static int Run(string[] args)
    {
        var (port, session, count) = (Number(args[0]), args[1], Number(args[2]));
        var request = Encoding.ASCII.GetBytes(
            $"GET /v1/sessions/{session}/events/stream HTTP/1.1\r\n"
            + $"Host: localhost\r\nX-Api-Key: {BenchServer.Key}\r\n\r\n");
        var epoll = Checked(epoll_create1(0));
        var sockets = new Socket[count];
        var record = stackalloc int[RecordInts];
        for (var i = 0; i < count; i++)
        {
            sockets[i] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets[i].Connect(IPAddress.Loopback, port);
            sockets[i].Send(request);
            record[0] = PollIn;
            record[RecordInts - 2] = i;
            Checked(epoll_ctl(epoll, Add, (int)sockets[i].Handle, record));
        }

        Await(epoll, sockets, "\r\n\r\n"u8);
        Console.WriteLine("open");
        while (true)
        {
            var arrivals = Await(epoll, sockets, "event: "u8);
            Array.Sort(arrivals);
            Console.WriteLine(BenchRun.Invariant(
                $"{arrivals[count / 2]} {arrivals[(int)(count * 0.99)]}"));
        }
    }

    /// <summary>When each of them first had these bytes. They are short and come in one packet.</summary>
    private static long[] Await(int epoll, Socket[] sockets, ReadOnlySpan<byte> sign)
    {
        var arrivals = new long[sockets.Length];
        var records = stackalloc int[ReadyMax * RecordInts];
        var buffer = new byte[BufferBytes];
        for (var left = sockets.Length; left > 0;)
        {
            var ready = epoll_wait(epoll, records, ReadyMax, -1);
            for (var i = 0; i < ready; i++)
            {
                var reader = records[(i * RecordInts) + RecordInts - 2];
                var read = sockets[reader].Receive(buffer);
                if (read == 0)
                {
                    Environment.Exit(0); // The server has stopped.
                }

                if (arrivals[reader] == 0 && buffer.AsSpan(0, read).IndexOf(sign) >= 0)
                {
                    arrivals[reader] = Stopwatch.GetTimestamp();
                    left--;
                }
            }
        }

        return arrivals;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static int Checked(int result) => result >= 0 ? result : throw new Win32Exception();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int descriptor, int* record);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epoll, int* records, int max, int timeoutMs);
}
