using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// What stands outside while probes run inside: things that a sandbox must not reach, and looks from the host.
/// </summary>
internal sealed class ProbeStage : IDisposable
{
    private const int Walks = 200;
    private const string HostWord = "of the host";

    private static readonly string[] NamespaceKinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

    private readonly SandboxProvider _provider;
    private readonly ProbeProxy _proxy;
    private readonly string _session;
    private readonly Socket _listener;
    private readonly Socket _abstract;
    private readonly SafeFileHandle _inheritable;
    private readonly DirectoryInfo _host;

    public ProbeStage(SandboxProvider provider, ProbeProxy proxy, string session)
    {
        (_provider, _proxy, _session) = (provider, proxy, session);
        Calls = SeccompCalls.Of(RuntimeInformation.ProcessArchitecture);
        var groups = new SandboxCgroup(TimeProvider.System);
        (BoundsMemory, BoundsTime) = (groups.IsAvailable, groups.BoundsTime);
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _abstract = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _abstract.Bind(new UnixDomainSocketEndPoint("\0" + AbstractName));
        _abstract.Listen();
        _host = Directory.CreateTempSubdirectory("tenon-probe-");
        File.WriteAllText(Path.Combine(_host.FullName, "canary"), HostWord);
        using var nothing = File.OpenHandle("/dev/null");
        _inheritable = LinuxCalls.DuplicateInheritable(nothing);
    }

    public SeccompCalls Calls { get; }

    public bool BoundsMemory { get; }

    public bool BoundsTime { get; }

    /// <summary>Whether what answers inside is not the host's kernel.</summary>
    public bool HasOwnKernel => _provider.HasOwnKernel;

    public bool HasDisks => _provider.HasDisks;

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Of the host that the proxy allows.</summary>
    public int ProxyPort => _proxy.Port;

    public string AbstractName { get; } = $"tenon-probe-{Guid.NewGuid():N}";

    /// <summary>The server's own namespaces, as words of <c>kind=name</c>.</summary>
    public string Namespaces { get; } = string.Join(' ', NamespaceKinds.Select(kind =>
        $"{kind}='{Directory.ResolveLinkTarget($"/proc/self/ns/{kind}", false)?.Name}'"));

    private SandboxFolder Folder => _provider.FolderOf(_session);

    private int Init => Folder.ReadRecord()!.Pid;

    /// <summary>Puts what the probes need into the sandbox's workspace.</summary>
    public void Prepare() =>
        File.WriteAllText(Path.Combine(Folder.Workspace, ".target"), _host.FullName);

    /// <summary>Inside, every sandbox believes to be uid 1000.</summary>
    public Task<string> Uids() => Task.FromResult(
        "uids " + string.Join(' ', StatusOf(Init, "Uid:").Concat(StatusOf(Init, "Gid:"))));

    /// <summary>Reads the outputs, as the server does, while the sandbox changes them.</summary>
    public async Task<string> WalkOutputs()
    {
        var (walked, escaped) = (0, 0);
        for (var i = 0; i < Walks; i++)
        {
            await OutputFolder.Walk(Folder.Outputs, async file =>
            {
                walked++;
                var bytes = new byte[64];
                var count = await RandomAccess.ReadAsync(file.Handle, bytes, 0);
                escaped += System.Text.Encoding.UTF8.GetString(bytes, 0, count) == HostWord ? 1 : 0;
            });
        }

        return string.Create(CultureInfo.InvariantCulture, $"walked {walked}, read the host {escaped} times");
    }

    /// <summary>Ends the sandbox and looks for what it started.</summary>
    public async Task<string> EndAndCount()
    {
        var started = Descendants(Init).Select(pid => SandboxProcess.Find(pid, null)).OfType<SandboxProcess>().ToList();
        await _provider.Stop(_session, CancellationToken.None);
        var left = started.Count(process => process.IsAlive);
        started.ForEach(process => process.Dispose());
        return string.Create(CultureInfo.InvariantCulture, $"{started.Count} ran, {left} left");
    }

    public void Dispose()
    {
        _listener.Dispose();
        _abstract.Dispose();
        _inheritable.Dispose();
        _host.Delete(recursive: true);
    }

    private static List<int> Descendants(int root)
    {
        var parents = new List<(int Pid, int Parent)>();
        foreach (var pid in SandboxProcess.All())
        {
            if (StatusOf(pid, "PPid:") is [var parent])
            {
                parents.Add((pid, int.Parse(parent, CultureInfo.InvariantCulture)));
            }
        }

        var found = new List<int> { root };
        for (var i = 0; i < found.Count; i++)
        {
            found.AddRange(parents.Where(pair => pair.Parent == found[i]).Select(pair => pair.Pid));
        }

        return found;
    }

    private static string[] StatusOf(int pid, string field)
    {
        try
        {
            return File.ReadLines($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/status")
                .Where(line => line.StartsWith(field, StringComparison.Ordinal))
                .SelectMany(line => line.Split('\t', StringSplitOptions.RemoveEmptyEntries)[1..]).ToArray();
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return [];
        }
    }
}
