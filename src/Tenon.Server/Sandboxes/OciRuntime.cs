using System.Diagnostics;

namespace Tenon.Server.Sandboxes;

/// <summary>A container runtime on this machine.</summary>
/// <param name="Name">Its file's name, such as <c>runc</c>.</param>
/// <param name="Path">Where it is; null when it is not installed.</param>
internal sealed record OciRuntime(string Name, string? Path)
{
    // Runtimes stand where a server's PATH may not lead.
    private static readonly string[] Directories =
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    /// <param name="setting">A name or an absolute path.</param>
    public static OciRuntime Of(string setting)
    {
        var candidates = setting.Contains('/', StringComparison.Ordinal)
            ? [setting]
            : Directories.Select(directory => $"{directory}/{setting}");
        return new OciRuntime(System.IO.Path.GetFileName(setting), candidates.FirstOrDefault(File.Exists));
    }

    private readonly Lazy<string> _version = new(() => Path is null ? "not installed" : Ask(Path));

    /// <summary>The first line of what it says of its version.</summary>
    public string Version => _version.Value;

    /// <summary>Whether it is gVisor, which is driven in a way of its own.</summary>
    public bool IsGvisor => Gvisor.Is(Version);

    private static string Ask(string path)
    {
        using var process = Process.Start(new ProcessStartInfo(path, "--version")
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var first = process.StandardOutput.ReadLine() ?? "";
        process.WaitForExit();
        return first;
    }
}
