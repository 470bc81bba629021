using System.Text.Json;
using Tenon.Server.Egress;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Content;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>A data directory with a provider over it; both go away with it, and so does every sandbox.</summary>
public sealed class SandboxLab : IAsyncDisposable
{
    private SandboxOptions _options;
    private readonly SandboxProvider.UploadsOf? _uploadsOf;
    private readonly EgressProxy? _egress;
    private SandboxProvider? _provider;
    private int _calls;

    public SandboxLab(
        Func<SandboxOptions, SandboxOptions>? change = null, SandboxProvider.UploadsOf? uploadsOf = null,
        EgressProxy? egress = null)
    {
        (_uploadsOf, _egress) = (uploadsOf, egress);
        // Short and walkable for every uid, as an installed server's directory is.
        DataDirectory = Directory.CreateDirectory($"/tmp/tenon-lab-{Guid.NewGuid():N}").FullName;
        var options = new SandboxOptions { DataDirectory = DataDirectory, HandPath = HandPath };
        _options = change?.Invoke(options) ?? options;
    }

    public static string HandPath { get; } = Environment.GetEnvironmentVariable("TENON_HAND") ?? Published();

    /// <summary>The container runtime's driver where it can run: an ordinary user has the other one only.</summary>
    public static string OciDriver { get; } = Environment.IsPrivilegedProcess ? "oci" : "bubblewrap";

    /// <summary>
    /// The same with gVisor, where a <c>runsc</c> that can hold a sandbox is installed or named; else without.
    /// </summary>
    public static string GvisorDriver { get; } = FindGvisor() is { } path ? $"oci:{path}" : OciDriver;

    public static bool HasGvisor => GvisorDriver != OciDriver;

    /// <summary>Each driver that can run here.</summary>
    public static IReadOnlyList<string> Drivers { get; } =
        [.. ((string[])["bubblewrap", OciDriver, GvisorDriver]).Distinct()];

    /// <param name="driver">One of <see cref="Drivers"/>: a kind, and after a colon where its runtime is.</param>
    public static SandboxOptions With(SandboxOptions options, string driver) => driver.Split(':') switch
    {
        [var kind, var runtime] => options with { Driver = kind, OciRuntime = runtime },
        _ => options with { Driver = driver },
    };

    public static CancellationToken Cancelled => Xunit.TestContext.Current.CancellationToken;

    public string DataDirectory { get; }

    /// <summary>The provider's clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    public SandboxProvider Provider => _provider ??= new SandboxProvider(
        _options, Time, _uploadsOf, _egress);

    /// <summary>What a crash and a new start of the server leave: the same disk, another provider.</summary>
    public async Task Restart(Func<SandboxOptions, SandboxOptions>? change = null)
    {
        await Provider.DisposeAsync();
        _options = change?.Invoke(_options) ?? _options;
        _provider = null;
    }

    /// <summary>Another program on the same data directory.</summary>
    public SandboxProvider Another(Func<SandboxOptions, SandboxOptions> change) =>
        new(change(_options), Time, _uploadsOf);

    public Task<ISandbox> Open(string session = "sesn_1") => Provider.Open(session, Cancelled);

    public SandboxCall Make(string tool, object input, string? id = null) => new(
        id ?? $"sevt_{Interlocked.Increment(ref _calls)}", tool, JsonSerializer.SerializeToElement(input));

    public Task<ToolOutput> Run(ISandbox sandbox, string tool, object input, string? id = null) =>
        sandbox.Call(Make(tool, input, id), Cancelled);

    public Task<ToolOutput> Bash(ISandbox sandbox, string command) => Run(sandbox, "bash", new { command });

    /// <summary>The text of a command that must succeed.</summary>
    public async Task<string> Text(ISandbox sandbox, string command)
    {
        var output = await Bash(sandbox, command);
        Assert(!output.IsError, $"`{command}` failed: {output.Text()}");
        return output.Text();
    }

    public int InitOf(string session = "sesn_1") =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(Provider.FolderOf(session).Path, "sandbox.json")))
            .RootElement.GetProperty("pid").GetInt32();

    public int UidOf(string session = "sesn_1") => Provider.FolderOf(session).ReadRecord()!.Uid!.Value;

    /// <summary>What the session's hand holds in memory.</summary>
    public int HandKilobytes(string session = "sesn_1") => int.Parse(
        File.ReadLines($"/proc/{InitOf(session)}/status")
            .Single(line => line.StartsWith("VmRSS", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture);

    public static bool IsAlive(int pid)
    {
        using var process = SandboxProcess.Find(pid, null);
        return process is { IsAlive: true };
    }

    public async ValueTask DisposeAsync()
    {
        await Provider.Reap(_ => ValueTask.FromResult(false), CancellationToken.None);
        await Provider.DisposeAsync();
        foreach (var directory in (string[])[DataDirectory, Provider.Root])
        {
            if (Directory.Exists(directory))
            {
                RefuseMounts(directory);
                Directory.Delete(directory, recursive: true);
            }
        }
    }

    private static void RefuseMounts(string directory) => Assert(
        !LinuxDisks.MountsIn(directory).Any(),
        $"something is still mounted in {directory}");

    private static void Assert(bool holds, string message)
    {
        if (!holds)
        {
            throw new InvalidOperationException(message);
        }
    }

    private static string? FindGvisor()
    {
        var runtime = OciRuntime.Of(Environment.GetEnvironmentVariable("TENON_RUNSC") ?? "runsc");
        return Environment.IsPrivilegedProcess && Gvisor.IsUsable(runtime.Version) ? runtime.Path : null;
    }

    private static string Published()
    {
        var architecture = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
            == System.Runtime.InteropServices.Architecture.Arm64 ? "linux-arm64" : "linux-x64";
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Tenon.slnx")))
            {
                return Path.Combine(
                    at.FullName, "artifacts", "publish", "Tenon.Hand", $"release_{architecture}", "Tenon.Hand");
            }
        }

        throw new InvalidOperationException("The repository's root was not found; set TENON_HAND.");
    }
}

internal static class ToolOutputText
{
    public static string Text(this ToolOutput output) => ((TextBlock)output.Content.Single()).Text;
}
