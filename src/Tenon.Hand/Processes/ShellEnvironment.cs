using System.Collections;

namespace Tenon.Hand.Processes;

/// <summary>The environment every child starts with: the hand's own, which the server made from nothing.</summary>
internal static class ShellEnvironment
{
    public static IReadOnlyList<string> Entries { get; } = [.. Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .Select(entry => $"{entry.Key}={entry.Value}")];

    public static string Home { get; } = Environment.GetEnvironmentVariable("HOME") ?? "/home/agent";

    /// <summary>The first executable of that name on <c>PATH</c>.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin")
            .Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(directory => Path.Combine(directory, program))
            .FirstOrDefault(File.Exists);
}
