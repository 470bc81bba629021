using System.Collections.Concurrent;
using Tenon.Hand.Processes;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>
/// Sleeps until something in a folder has been written and closed, moved or removed, and then says so to every server
/// that is connected. What it was, the server looks up: this is a hint, and never more.
/// </summary>
/// <remarks>
/// A file that is written to and stays open says nothing, so that half of one is not looked at for its own sake. Where
/// the kernel gives no watch, the server looks at other times: after a call, when the session goes idle, when somebody
/// asks.
/// </remarks>
/// <param name="word">One of <see cref="HandEvents"/>.</param>
internal sealed unsafe class FolderWatch(string folder, string word)
{
    /// <summary>Where the session's deliverables are.</summary>
    public const string Outputs = "/mnt/session/outputs";

    /// <summary>Holds one folder for each memory store.</summary>
    public const string Memory = "/mnt/memory";

    /// <summary>Folders that are watched: the files that the server takes lie in fewer, but for an odd store.</summary>
    private const int FoldersMax = 2_000;

    /// <summary>A memory's path has 20 parts below its store's folder; what lies deeper is nowhere taken.</summary>
    private const int DepthMax = 21;

    /// <summary>A burst is one word: it has ended when nothing comes for so long.</summary>
    private const int QuietMs = 100;

    /// <summary>A burst that does not end is told of all the same, well within a second of its first write.</summary>
    private const int BurstMs = 400;

    private const int BufferBytes = 16 * 1024;

    /// <summary>Offsets of an event: its kind and the length of the name that follows.</summary>
    private const int KindAt = 4;
    private const int NameLengthAt = 12;
    private const int HeaderBytes = 16;

    private const uint Closed = 0x8;
    private const uint Moved = 0xC0;
    private const uint Made = 0x100;
    private const uint Removed = 0x200;
    private const uint Overflowed = 0x4000;
    private const uint IsFolder = 0x4000_0000;
    private const uint OnlyFolder = 0x0100_0000;
    private const uint DoNotFollow = 0x0200_0000;
    private const uint Wanted = Closed | Moved | Made | Removed | OnlyFolder | DoNotFollow;

    private static readonly EnumerationOptions Folders = new()
    {
        AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true,
    };

    private readonly ConcurrentDictionary<Connection, bool> _servers = new();
    private int _watch = -1;

    public void Start() => new Thread(Run, 256 * 1024) { IsBackground = true }.Start();

    /// <summary>Tells a connection of changes from now on.</summary>
    public void Add(Connection connection) => _servers.TryAdd(connection, true);

    public void Remove(Connection connection) => _servers.TryRemove(connection, out _);

    private void Run()
    {
        WatchAll();
        while (_watch >= 0 && Wait(-1))
        {
            var burst = Environment.TickCount64;
            var (hasFolders, isNews) = (false, false);
            do
            {
                Read(ref hasFolders, ref isNews);
            }
            while (Environment.TickCount64 - burst < BurstMs && Wait(QuietMs));

            // What was written into a folder before it was watched is told of now; what comes later tells of itself.
            if (hasFolders)
            {
                WatchAll();
            }

            if (isNews)
            {
                foreach (var server in _servers.Keys)
                {
                    server.Tell(word);
                }
            }
        }
    }

    /// <summary>
    /// Watches every folder there is now. All over again, because a folder that moved has another place, and one that
    /// left would be watched for ever.
    /// </summary>
    private void WatchAll()
    {
        var watch = Kernel.WatchDescriptor(Kernel.NonBlocking | Kernel.CloseOnExec);
        if (watch < 0)
        {
            return;
        }

        var folders = 0;
        Watch(watch, folder, 0, ref folders);
        if (_watch >= 0)
        {
            _ = Kernel.Close(_watch);
        }

        _watch = watch;
    }

    private static void Watch(int watch, string path, int depth, ref int folders)
    {
        if (folders++ == FoldersMax || depth > DepthMax || Kernel.Watch(watch, path, Wanted) < 0)
        {
            return;
        }

        try
        {
            foreach (var inner in Directory.EnumerateDirectories(path, "*", Folders))
            {
                Watch(watch, inner, depth + 1, ref folders);
                if (folders >= FoldersMax)
                {
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It went, or was shut, while it was walked; its parent has told of that.
        }
    }

    private bool Wait(int milliseconds)
    {
        while (true)
        {
            var entry = new Kernel.PollEntry { Descriptor = _watch, Events = Kernel.PollIn };
            var count = Kernel.Poll(&entry, 1, milliseconds);
            if (count >= 0 || System.Runtime.InteropServices.Marshal.GetLastPInvokeError() != Kernel.InterruptedCall)
            {
                return count > 0;
            }
        }
    }

    private void Read(ref bool hasFolders, ref bool isNews)
    {
        var buffer = stackalloc byte[BufferBytes];
        var count = Kernel.Read(_watch, buffer, BufferBytes);
        for (var at = (nint)0; at + HeaderBytes <= count;)
        {
            var kind = *(uint*)(buffer + at + KindAt);
            var isFolder = (kind & (IsFolder | Overflowed)) != 0;
            hasFolders |= isFolder;

            // A file that was only made is still open; it is news when it is closed.
            isNews |= isFolder || (kind & (Closed | Moved | Removed)) != 0;
            at += HeaderBytes + (nint)(*(uint*)(buffer + at + NameLengthAt));
        }
    }
}
