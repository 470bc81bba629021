using System.Diagnostics;

namespace Tenon.Server.Tests.Support;

/// <summary>A file system of its own that can be filled and made read-only: memory, mounted by root.</summary>
public sealed class SmallDisk : IDisposable
{
    public SmallDisk(string parent, int kilobytes)
    {
        Path = System.IO.Path.Combine(parent, "disk");
        Directory.CreateDirectory(Path);
        Run("mount", "-t", "tmpfs", "-o", $"size={kilobytes}k,mode=0711", "tenon-test", Path);
    }

    public string Path { get; }

    private string FillerPath => System.IO.Path.Combine(Path, "filler");

    /// <summary>Takes all room that is left.</summary>
    public void Fill()
    {
        using var filler = new FileStream(FillerPath, FileMode.Append);
        try
        {
            while (true)
            {
                filler.Write(new byte[4096]);
                filler.Flush();
            }
        }
        catch (IOException)
        {
            // Full, as it should be.
        }
    }

    public void MakeRoom() => File.Delete(FillerPath);

    public void Dispose()
    {
        // Lazily, since a process that has just ended may still be on its way out of it.
        Run("umount", "--lazy", Path);
        Directory.Delete(Path);
    }

    public static void Run(string program, params IReadOnlyList<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error}");
        }
    }
}
