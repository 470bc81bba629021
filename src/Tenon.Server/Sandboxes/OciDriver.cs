using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Sandboxes by a runtime of the Open Container Initiative, such as <c>runc</c> or <c>crun</c>: each in a user
/// namespace in which only the sandbox's own uid and one for the making of mounts have a meaning.
/// </summary>
/// <remarks>
/// The runtime bounds the sandbox by control groups of its own, at the place where Tenon's are. The filter of system
/// calls is put on by the hand: runtimes name calls in words of a library, and pass over those it does not know.
/// </remarks>
internal sealed class OciDriver : ISandboxDriver
{
    /// <summary>The name of this driver in settings; its runtime's follows in <see cref="Name"/>.</summary>
    public const string Kind = "oci";

    private const string FolderName = ".oci";
    private const uint OwnerOnly = 0x1C0; // 0700
    private const uint ReadAndWalk = 0x1ED; // 0755
    private const uint WalkOnly = 0x1C9; // 0711: a sandbox's makers walk in by another uid, and see nothing.

    /// <summary>A runtime takes tens of milliseconds; on a host that is so busy, a start has failed.</summary>
    private const int RuntimeMs = 30_000;

    /// <summary>Another server on the same data may be about to start one.</summary>
    private static readonly TimeSpan NewTime = TimeSpan.FromMinutes(1);

    private readonly SandboxOptions _options;
    private readonly SandboxFiles _files;
    private readonly TimeProvider _time;
    private readonly OciRuntime _runtime;
    private readonly SandboxCgroup _cgroup;
    private readonly Lazy<string> _folder;

    public OciDriver(SandboxOptions options, SandboxFiles files, TimeProvider time)
    {
        (_options, _files, _time) = (options, files, time);
        _cgroup = new SandboxCgroup(time);
        _runtime = OciRuntime.Of(options.OciRuntime);
        _folder = new Lazy<string>(MakeFolder);
    }

    public string Name => $"{Kind}:{_runtime.Name}";

    public bool HasOwnKernel => _runtime.IsGvisor;

    private string Filter => Path.Combine(
        _files.Shared, HasOwnKernel ? SandboxFiles.SignalFilterName : SandboxFiles.FilterName);

    private string States => Path.Combine(_folder.Value, "states");

    private string Bundles => Path.Combine(_folder.Value, "bundles");

    public IReadOnlyList<ProbeResult> Check() => OciPrerequisites.Check(_options, _runtime);

    public Task<SandboxProcess> Start(SandboxDescription description, string socket) =>
        Task.Run(() => Run(description, socket));

    public void End(string instance, SandboxProcess? process)
    {
        if (process is not null)
        {
            // A frozen process of a version 1 group would not even die.
            Thaw(instance);
            process.Kill();
            // A detached container's init is left to the machine's first process, which in a container may be this one.
            _ = LinuxCalls.Reap(process.Pid);
        }

        Delete(instance);
    }

    public bool Freeze(string instance) => _cgroup.Freeze(instance);

    public void Thaw(string instance) => _cgroup.Thaw(instance);

    public void Collect()
    {
        var newest = _time.GetUtcNow() - NewTime;
        foreach (var path in Directory.EnumerateDirectories(Bundles)
            .Where(path => Directory.GetLastWriteTimeUtc(path) < newest).ToList())
        {
            using var process = SandboxProcess.Find(PidOf(BundleOf(Path.GetFileName(path))), null);
            if (process is not { IsAlive: true })
            {
                Delete(Path.GetFileName(path));
            }
        }
    }

    private SandboxProcess Run(SandboxDescription description, string socket)
    {
        if (description.Uid is null || _runtime.Path is null)
        {
            throw new SandboxException(_runtime.Path is null
                ? $"The container runtime {_runtime.Name} is not installed. `tenon doctor` says what is missing."
                : "A container runtime needs a server that is root. `tenon doctor` says what is missing.");
        }

        var bundle = BundleOf(description.Instance);
        try
        {
            return HasOwnKernel ? StartInGvisor(description, bundle, socket) : Start(description, bundle, socket);
        }
        catch (Exception exception)
        {
            // Nothing half-started stays. The disk's word is the reason; the caller needs to know what came of it.
            Delete(description.Instance);
            throw exception is IOException or UnauthorizedAccessException
                ? new SandboxException($"The sandbox's bundle could not be made: {exception.Message}", exception)
                : exception;
        }
    }

    private SandboxProcess Start(SandboxDescription description, OciBundle bundle, string socket)
    {
        bundle.Write(description, Filter);
        using var listener = SandboxSockets.Listen(socket);
        Launch(description, bundle, listener.SafeHandle,
            _runtime.Path!, "--root", States, "run", "--preserve-fds", "1");
        return Init(description, bundle);
    }

    private SandboxProcess StartInGvisor(SandboxDescription description, OciBundle bundle, string socket)
    {
        if (!Gvisor.IsUsable(_runtime.Version))
        {
            throw new SandboxException(
                $"{_runtime.Version} is too old to hold a sandbox. `tenon doctor` says what to do.");
        }

        bundle.Write(Gvisor.Adapt(description, bundle), Filter);
        foreach (var (path, uid, mode) in new (string, int, uint)[]
        {
            (bundle.StatePath, 0, OwnerOnly), (bundle.NothingPath, 0, ReadAndWalk),
            (bundle.MeetingPath, description.Uid!.Value, OwnerOnly),
        })
        {
            Directory.CreateDirectory(path);
            LinuxCalls.Own(path, uid);
            LinuxCalls.Mode(path, mode);
        }

        // Its kernel has the uid that makes mounts, and reads what the server lends this session by this group.
        Launch(description, bundle, null,
        [
            _options.SetprivPath, "--groups", description.Uid.Value.ToString(CultureInfo.InvariantCulture), "--",
            _runtime.Path!, "--root", bundle.StatePath, .. Gvisor.Flags, "run",
        ]);
        var init = Init(description, bundle);
        try
        {
            Gvisor.Meet(bundle, init, description, socket);
            return init;
        }
        catch
        {
            // It has no way in, whatever went wrong.
            init.Kill();
            init.Dispose();
            throw;
        }
    }

    private static SandboxProcess Init(SandboxDescription description, OciBundle bundle) =>
        SandboxProcess.Find(PidOf(bundle), null) ?? throw new SandboxException(
            $"The sandbox did not start: {description.Folder.ReadLog()} `tenon doctor` says what is missing.");

    private void Launch(
        SandboxDescription description, OciBundle bundle, SafeHandle? listener, params string[] command)
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        using var log = File.OpenHandle(
            description.Folder.LogPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        Run(nothing, log, listener,
            [.. command, "--detach", "--bundle", bundle.Path, "--pid-file", bundle.PidPath, description.Instance]);
    }

    private void Delete(string instance)
    {
        var bundle = BundleOf(instance);
        if (!Directory.Exists(bundle.Path))
        {
            return;
        }

        if (Directory.Exists(bundle.StatePath))
        {
            // The runtime would wait until the machine's first process has buried its dead, which may take seconds.
            _cgroup.End(instance);
        }
        else if (!DeleteByRuntime(instance))
        {
            // Without its runtime it cannot be deleted. Nothing of it runs; a later start of the server tries again.
            return;
        }

        Directory.Delete(bundle.Path, recursive: true);
    }

    private bool DeleteByRuntime(string instance)
    {
        using var nothing = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        return _runtime.Path is not null
            && Run(nothing, nothing, null, _runtime.Path, "--root", States, "delete", "--force", instance);
    }

    /// <returns>Whether the runtime did it.</returns>
    private bool Run(SafeFileHandle input, SafeFileHandle output, SafeHandle? third, params string[] command)
    {
        SafeHandle[] descriptors = third is null ? [input, output, output] : [input, output, output, third];
        var high = descriptors.Select(LinuxCalls.DuplicateHigh).ToList();
        var pid = ChildProcess.Start(command, high);
        high.ForEach(handle => handle.Dispose());
        return pid > 0
            ? LinuxCalls.WaitForExit(pid, RuntimeMs) == 0
            : throw new SandboxException($"{command[0]} cannot be started: error {-pid}. Is it installed?");
    }

    private OciBundle BundleOf(string instance) => new(Path.Combine(Bundles, instance), _options.SetupUid);

    private static int PidOf(OciBundle bundle) => File.Exists(bundle.PidPath)
        && int.TryParse(File.ReadAllText(bundle.PidPath), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
        ? pid
        : 0;

    private string MakeFolder()
    {
        // Made first, because the sessions' folder is made with it.
        _ = _files.Shared;
        var folder = Path.Combine(_files.Root, FolderName);
        foreach (var (path, mode) in new (string, uint)[]
        {
            (folder, WalkOnly), (Path.Combine(folder, _runtime.Name), WalkOnly),
            (Path.Combine(folder, _runtime.Name, "bundles"), WalkOnly),
            (Path.Combine(folder, _runtime.Name, "states"), OwnerOnly),
        })
        {
            Directory.CreateDirectory(path);
            LinuxCalls.Mode(path, mode);
        }

        return Path.Combine(folder, _runtime.Name);
    }
}
