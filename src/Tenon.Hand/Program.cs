using System.Globalization;
using System.Net.Sockets;
using Tenon.Hand;
using Tenon.Hand.Processes;
using Tenon.Hand.Tools;
using Tenon.Wire.Hand;

if (args is ["try", .. var words])
{
    return Attempt.Run(words);
}

// The hand: init of a sandbox. Usage: Tenon.Hand INSTANCE PROCESSES_MAX [[SOCKET] FILTER], with a listening socket as
// descriptor 3 unless it is told where to make one.
if (args.Length is < 2 or > 4
    || !uint.TryParse(args[1], NumberStyles.None, CultureInfo.InvariantCulture, out var processesMax))
{
    Console.Error.WriteLine("The hand is started by the Tenon server, inside a sandbox.");
    return 2;
}

Hardening.Apply(HandProtocol.ListenDescriptor, processesMax);
if (args is [_, _, .., var filter])
{
    CallFilter.Install(filter);
}

using var listener = args is [_, _, var path, _]
    ? Meeting.Listen(path)
    : new Socket(new SafeSocketHandle(HandProtocol.ListenDescriptor, ownsHandle: true));
var children = new Children();
using var tools = new Toolbox(children);
var receipts = new Receipts(tools);
EgressRelay.Start();

// Most sandboxes have no memory, and then nothing can come to be there.
FolderWatch[] watches =
[
    new(FolderWatch.Outputs, HandEvents.OutputsWritten),
    .. Directory.Exists(FolderWatch.Memory) && Directory.EnumerateDirectories(FolderWatch.Memory).Any()
        ? (FolderWatch[])[new(FolderWatch.Memory, HandEvents.MemoryWritten)] : [],
];
Array.ForEach(watches, watch => watch.Start());
using var slots = new SemaphoreSlim(ToolLimits.Connections);

// A server that died between starting this sandbox and writing it down would leave it for ever.
if (!listener.Poll(ToolLimits.FirstConnection, SelectMode.SelectRead))
{
    return 3;
}

while (true)
{
    slots.Wait();
    var connection = new Connection(listener.Accept(), args[0], receipts, children);
    new Thread(() => Serve(connection), 256 * 1024) { IsBackground = true }.Start();
}

void Serve(Connection connection)
{
    Array.ForEach(watches, watch => watch.Add(connection));
    connection.Serve();
    Array.ForEach(watches, watch => watch.Remove(connection));
    slots.Release();
}
