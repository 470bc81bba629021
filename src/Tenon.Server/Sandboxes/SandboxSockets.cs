using System.Net.Sockets;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Where the server's sockets to its hands stand: outside every sandbox, closed to other users, and under a short
/// path, because a socket's path has 107 bytes at most.
/// </summary>
internal sealed class SandboxSockets
{
    private const int PathBytesMax = 107;
    private const int ListenBacklog = 8;
    private const string BoundSockets = "/proc/net/unix";
    private const uint OwnerOnly = 0x1C0; // 0700

    private readonly Lazy<string> _directory;

    public SandboxSockets(SandboxOptions options) =>
        _directory = new Lazy<string>(() => Prepare(options.SocketDirectory ?? Default()));

    /// <summary>
    /// A socket that listens already, before there is a hand: so its path is nowhere inside, where a command could
    /// replace it, and the server can connect at once. Disposing of it leaves the path. What is there is replaced.
    /// </summary>
    public static Socket Listen(string path, int backlog = ListenBacklog)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // NOTE: bound under one name and used under another, because disposing of a socket deletes its name.
            File.Delete(path + HandProtocol.NewSocketSuffix);
            listener.Bind(new UnixDomainSocketEndPoint(path + HandProtocol.NewSocketSuffix));
            listener.Listen(backlog);
            File.Move(path + HandProtocol.NewSocketSuffix, path, overwrite: true);
            return listener;
        }
        catch
        {
            // Whatever went wrong, nothing listens.
            listener.Dispose();
            throw;
        }
    }

    public string PathFor(string instance)
    {
        var path = Path.Combine(_directory.Value, instance);
        return path.Length <= PathBytesMax
            ? path
            : throw new SandboxException($"The socket path {path} is too long; set a shorter socket directory.");
    }

    /// <summary>Takes away the sockets on which nobody listens any more.</summary>
    /// <remarks>
    /// The kernel is asked, and not the sockets: a frozen hand takes no connection, so one to it could wait for ever.
    /// </remarks>
    public void Collect()
    {
        // In this order: what stands there was bound before it stood there.
        var paths = Directory.EnumerateFiles(_directory.Value, "hand_*").ToList();
        var bound = File.ReadLines(BoundSockets).Select(line => line[(line.LastIndexOf(' ') + 1)..]).ToHashSet();
        foreach (var path in paths.Where(path => !Listens(path, bound)))
        {
            File.Delete(path);
        }
    }

    /// <summary>One that a hand has made is a link, and goes with what its driver keeps.</summary>
    private static bool Listens(string path, HashSet<string> bound) =>
        new FileInfo(path).LinkTarget is { } made
            ? File.Exists(made)
            : bound.Contains(path) || bound.Contains(path + HandProtocol.NewSocketSuffix);

    private static string Default() =>
        SandboxFiles.IsRoot ? "/run/tenon"
        : Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 and < 60 } runtime
            && Directory.Exists(runtime) ? Path.Combine(runtime, "tenon")
        : $"/tmp/tenon-{LinuxCalls.EffectiveUid}";

    private static string Prepare(string directory)
    {
        Directory.CreateDirectory(directory);
        try
        {
            // Fails when somebody else made it first, which under /tmp anybody could.
            LinuxCalls.Mode(directory, OwnerOnly);
            return directory;
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            // Named for what to do: the directory is not ours to use.
            throw new SandboxException($"The socket directory {directory} belongs to another user.", exception);
        }
    }
}
