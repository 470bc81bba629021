using System.Security.Cryptography;
using System.Text;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Environments;

namespace Tenon.Server.Images;

/// <summary>
/// The packages of environments: each set is installed once, by a sandbox of its own that reaches package managers and
/// nothing else, into a directory that sessions share read-only. A set is named by what it is made of, so that an
/// environment that changes gets another one and living sandboxes keep theirs.
/// </summary>
internal sealed partial class PackageLayers(
    SandboxProvider sandboxes, SandboxOptions options, PackageMirrors mirrors, TimeProvider clock,
    ILogger<PackageLayers> logger) : IDisposable
{
    /// <summary>What the sandbox that installs is called in place of a session.</summary>
    private const string BuilderPrefix = "layer_";

    /// <summary>Raised when the steps install in another way.</summary>
    private const string Version = "1";

    /// <summary>Stands beside a layer that is complete.</summary>
    private const string Marker = ".ready";

    private const uint WalkOnly = 0x1C9; // 0711
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    /// <summary>A layer that no session has asked for so long is deleted.</summary>
    private static readonly TimeSpan UnusedTime = TimeSpan.FromDays(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, PackageBuild> _builds = new(StringComparer.Ordinal);

    // One at a time: an installation takes a processor, and the disk.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stop = new();

    private string Folder => Path.Combine(sandboxes.Root, ".layers");

    private string Image => options.Image ?? "";

    /// <summary>Whether what is called so is a sandbox that installs, and no session.</summary>
    public static bool IsBuilder(string sessionId) => sessionId.StartsWith(BuilderPrefix, StringComparison.Ordinal);

    /// <summary>The layer of these packages, installed when it is not there. Giving up waiting does not stop it.
    /// </summary>
    /// <exception cref="SandboxException">A package could not be installed; the message says which and why.</exception>
    public async Task<SandboxLayer> Ensure(Packages packages, CancellationToken cancellationToken)
    {
        var steps = PackageStep.Of(packages, mirrors);
        if (steps.Count == 0)
        {
            return new SandboxLayer { Variables = [.. mirrors.Variables] };
        }

        var key = KeyOf(steps);
        await Begin(key, steps).Done.WaitAsync(cancellationToken);
        File.SetLastWriteTimeUtc(MarkerOf(key), clock.GetUtcNow().UtcDateTime);
        return LayerOf(key);
    }

    /// <summary>What the sandbox that installs has: the place to install to, and apt's configuration.</summary>
    public SandboxLayer Builder() => new()
    {
        WorkspaceAlsoAt = PackageStep.Root,
        Mounts = [new SandboxMount.Bind(AptFolder, PackageStep.AptInside)],
        Variables = [.. mirrors.Variables],
    };

    /// <summary>How far the installation is.</summary>
    public EnvironmentPackages StateOf(string environmentId, Packages packages)
    {
        var steps = PackageStep.Of(packages, mirrors);
        var key = steps.Count > 0 ? KeyOf(steps) : "";
        PackageBuild? build;
        lock (_lock)
        {
            build = _builds.GetValueOrDefault(key);
        }

        var status = steps.Count == 0 ? "none"
            : File.Exists(MarkerOf(key)) ? "ready"
            : build is null ? "pending"
            : build.FailedAt is null ? "installing"
            : "failed";
        if (build is null)
        {
            build = new PackageBuild(steps, clock);
            if (status == "ready")
            {
                build.Skip();
            }
        }

        return new EnvironmentPackages { EnvironmentId = environmentId, Status = status, Steps = build.States };
    }

    /// <remarks>Sandboxes that live have the layer mounted for themselves, and keep it.</remarks>
    public void Dispose()
    {
        _stop.Cancel();
        if (Directory.Exists(Folder))
        {
            Directory.GetDirectories(Folder).ToList().ForEach(layer => PackageOverlay.Unmount(layer));
        }

        _stop.Dispose();
        _turn.Dispose();
    }

    private string AptFolder => Path.Combine(Folder, ".apt");

    private PackageBuild Begin(string key, IReadOnlyList<PackageStep> steps)
    {
        lock (_lock)
        {
            if (_builds.TryGetValue(key, out var known)
                && !(known.FailedAt is { } failed && clock.GetUtcNow() - failed > RetryAfter))
            {
                return known;
            }

            var build = new PackageBuild(steps, clock);
            build.Done = Task.Run(() => Make(key, build, _stop.Token));
            return _builds[key] = build;
        }
    }

    private async Task Make(string key, PackageBuild build, CancellationToken cancellationToken)
    {
        try
        {
            if (File.Exists(MarkerOf(key)))
            {
                build.Skip();
            }
            else
            {
                await _turn.WaitAsync(cancellationToken);
                try
                {
                    await Install(key, build, cancellationToken);
                }
                finally
                {
                    _turn.Release();
                }
            }

            PackageOverlay.Mount(PathOf(key), Image);
        }
        catch (Exception exception)
        {
            build.Fail();
            LogFailed(key, exception.Message);
            throw exception is SandboxException or OperationCanceledException ? exception
                : new SandboxException($"The environment's packages could not be kept: {exception.Message}", exception);
        }
    }

    private async Task Install(string key, PackageBuild build, CancellationToken cancellationToken)
    {
        var name = BuilderPrefix + key;
        LogBegun(key, string.Join(
            "; ", build.States.Select(step => $"{step.Manager} {string.Join(' ', step.Packages)}")));
        Collect();
        Directory.CreateDirectory(Folder);
        LinuxCalls.Mode(Folder, WalkOnly);
        AptConfiguration.Write(AptFolder, Image, mirrors.Apt);
        await sandboxes.Destroy(name, cancellationToken);
        try
        {
            var sandbox = await sandboxes.Open(name, cancellationToken);
            await build.Run(sandbox, cancellationToken);

            // Nothing of what was installed may run, and change the tree, while it is copied.
            await sandboxes.Stop(name, cancellationToken);
            var folder = await sandboxes.OpenFiles(name, cancellationToken);
            Keep(key, folder.Workspace);
        }
        finally
        {
            await sandboxes.Destroy(name, CancellationToken.None);
        }

        LogReady(key);
    }

    // The marker last: a layer without one is half a layer.
    private void Keep(string key, string from)
    {
        var path = PathOf(key);
        SystemProgram.RunOrThrow("rm", "-rf", "--one-file-system", "--", path);
        SystemProgram.RunOrThrow("cp", "-a", "--no-preserve=ownership", "--", from, path);
        if (SandboxFiles.IsRoot)
        {
            SystemProgram.RunOrThrow("chown", "-hR", "0:0", "--", path);
        }

        SystemProgram.RunOrThrow("chmod", "755", "--", path);
        File.WriteAllText(MarkerOf(key), "");
    }

    /// <summary>Deletes layers that nobody has asked for in a long time.</summary>
    private void Collect()
    {
        var newest = clock.GetUtcNow() - UnusedTime;
        var unused = Directory.Exists(Folder)
            ? Directory.EnumerateFiles(Folder, "*" + Marker)
                .Where(path => File.GetLastWriteTimeUtc(path) < newest).ToList()
            : [];
        foreach (var key in unused.Select(path => Path.GetFileNameWithoutExtension(path)))
        {
            lock (_lock)
            {
                // Who asks for it again has it installed again.
                _builds.Remove(key);
            }

            File.Delete(MarkerOf(key));
            if (PackageOverlay.Unmount(PathOf(key)))
            {
                SystemProgram.Run("rm", "-rf", "--one-file-system", "--", PathOf(key));
            }
        }
    }

    private SandboxLayer LayerOf(string key)
    {
        var path = PathOf(key);
        List<(string, string)> variables = [.. mirrors.Variables];
        AddIf("pip", "PYTHONPATH", $"{PackageStep.Root}/pip");
        AddIf("npm", "NODE_PATH", $"{PackageStep.Root}/npm/lib/node_modules");
        // The empty word at the end stands for Ruby's own directories.
        AddIf("gem", "GEM_PATH", $"{PackageStep.Root}/gem:");
        return new SandboxLayer
        {
            Mounts =
            [
                .. PackageOverlay.MountOf(path) is { } usr ? (SandboxMount[])[new SandboxMount.Bind(usr, "/usr")] : [],
                new SandboxMount.Bind(path, PackageStep.Root),
            ],
            Programs = [.. ((string[])["apt/usr/bin", "cargo/bin", "gem/bin", "go/bin", "npm/bin", "pip/bin"])
                .Where(name => Directory.Exists(Path.Combine(path, name)))
                .Select(name => $"{PackageStep.Root}/{name}")],
            Variables = variables,
        };

        void AddIf(string directory, string name, string value)
        {
            if (Directory.Exists(Path.Combine(path, directory)))
            {
                variables.Add((name, value));
            }
        }
    }

    private string PathOf(string key) => Path.Combine(Folder, key);

    private string MarkerOf(string key) => Path.Combine(Folder, key + Marker);

    // What was installed depends on what the base had: its list of packages stands for it.
    private string KeyOf(IReadOnlyList<PackageStep> steps)
    {
        var status = new FileInfo(Image + "/var/lib/dpkg/status");
        var state = status.Exists ? $"{status.Length} {status.LastWriteTimeUtc.Ticks}" : "";
        var text = string.Join('\n', [Version, Image, state, mirrors.Apt ?? "", .. steps.Select(step => step.Command)]);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..24];
    }

    [LoggerMessage(LogLevel.Information, "Packages {Layer} are being installed: {Packages}")]
    private partial void LogBegun(string layer, string packages);

    [LoggerMessage(LogLevel.Information, "Packages {Layer} are ready")]
    private partial void LogReady(string layer);

    [LoggerMessage(LogLevel.Warning, "Packages {Layer} were not installed: {Reason}")]
    private partial void LogFailed(string layer, string reason);
}
