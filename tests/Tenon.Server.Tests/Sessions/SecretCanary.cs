using Microsoft.Extensions.Logging;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Tenon.Server.Egress;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Looks for words wherever a session leaves something: its processes, its files, and the server's.</summary>
internal sealed class SecretCanary(IReadOnlyList<string> words) : ILoggerProvider, ILogger
{
    private const int PieceBytes = 1024 * 1024;
    private const long RegionBytesMax = 512L * 1024 * 1024;

    public ConcurrentQueue<string> Logged { get; } = new();

    public bool IsIn(string text) => words.Any(word => text.Contains(word, StringComparison.Ordinal));

    /// <summary>Those of a sandbox's processes that have a word in their variables, words or memory.</summary>
    public IReadOnlyList<string> InProcesses(int uid) => [.. Directory.EnumerateDirectories("/proc")
        .Where(path => int.TryParse(Path.GetFileName(path), out _) && IsOf(path, uid))
        .SelectMany(path => ((string[])["environ", "cmdline"]).Where(name => IsInFile($"{path}/{name}"))
            .Select(name => $"{path}/{name}").Concat(IsInMemory(path) ? [$"{path}/mem"] : []))];

    /// <summary>Files below these that have a word in them; disks that are images are read as they are.</summary>
    public async Task<IReadOnlyList<string>> InFiles(params string[] paths)
    {
        using var patterns = new Support.TempFolder();
        var list = Path.Combine(patterns.Path, "words");
        await File.WriteAllLinesAsync(list, words);
        using var grep = Process.Start(new ProcessStartInfo(
            "grep", ["-rlaF", "--devices=skip", "-f", list, "--", .. paths.Where(Directory.Exists)])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var errors = grep.StandardError.ReadToEndAsync();
        var found = await grep.StandardOutput.ReadToEndAsync();
        await errors;
        await grep.WaitForExitAsync();
        return found.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) => Logged.Enqueue($"{formatter(state, exception)} {exception}");

    public void Dispose()
    {
        // What was logged stays for the test.
    }

    /// <summary>Every form of a secret that its scrubbing knows.</summary>
    public static SecretCanary Of(string secret) => new([.. SecretForms.Of(secret)]);

    private static bool IsOf(string path, int uid)
    {
        try
        {
            return File.ReadLines($"{path}/status")
                .Any(line => line.StartsWith($"Uid:\t{uid}\t", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return false;
        }
    }

    private bool IsInFile(string path)
    {
        try
        {
            return IsIn(Encoding.Latin1.GetString(File.ReadAllBytes(path)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile, or is not for this user.
            return false;
        }
    }

    private bool IsInMemory(string process)
    {
        try
        {
            using var memory = File.OpenHandle($"{process}/mem");
            return File.ReadAllLines($"{process}/maps").Select(line => line.Split(' ', 2))
                .Where(line => line[1].StartsWith("rw", StringComparison.Ordinal))
                .Select(line => line[0].Split('-').Select(at => Convert.ToInt64(at, 16)).ToArray())
                .Where(region => region[1] > region[0] && region[1] - region[0] <= RegionBytesMax)
                .Any(region => IsInRegion(memory, region[0], region[1]));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // As above.
            return false;
        }
    }

    private bool IsInRegion(Microsoft.Win32.SafeHandles.SafeFileHandle memory, long from, long to)
    {
        var piece = new byte[PieceBytes];
        var overlap = words.Max(word => word.Length);
        for (var at = from; at < to; at += PieceBytes - overlap)
        {
            try
            {
                var count = RandomAccess.Read(memory, piece.AsSpan(0, (int)Math.Min(PieceBytes, to - at)), at);
                if (IsIn(Encoding.Latin1.GetString(piece, 0, count)))
                {
                    return true;
                }
            }
            catch (IOException)
            {
                // A page that is not there.
            }
        }

        return false;
    }
}
