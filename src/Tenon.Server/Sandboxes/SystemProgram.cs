using System.Diagnostics;

namespace Tenon.Server.Sandboxes;

/// <summary>The system's own programs, for what no call of the kernel does at once.</summary>
internal static class SystemProgram
{
    private const int ComplaintCharsMax = 500;

    /// <summary>Not on the path of every service.</summary>
    private static readonly string[] MoreDirectories = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

    /// <summary>The path of a program, or null when it is not installed.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(MoreDirectories)
            .Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);

    /// <returns>What the program complained of; null when it did its work.</returns>
    public static string? Run(string program, params IReadOnlyList<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Find(program) ?? program, arguments)
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        })!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var complaint = new char[ComplaintCharsMax];
        var count = process.StandardError.ReadBlock(complaint);
        while (process.StandardError.Read() >= 0)
        {
            // The rest is drained, so that the program ends; one reason is enough.
        }

        process.WaitForExit();
        return process.ExitCode == 0 ? null : new string(complaint, 0, count).Trim();
    }

    /// <exception cref="SandboxException">It failed, with what it said.</exception>
    public static void RunOrThrow(string program, params IReadOnlyList<string> arguments)
    {
        if (Run(program, arguments) is { } complaint)
        {
            throw new SandboxException($"{program} failed: {complaint}");
        }
    }
}
