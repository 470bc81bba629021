using System.Diagnostics;
using System.Globalization;

namespace Tenon.Bench;

/// <summary>The readers of one session, in a process of their own, and when they had what was sent.</summary>
/// <param name="port">Of the server.</param>
/// <param name="server">Ended with the readers; null leaves it.</param>
/// <param name="send">Sends one event, and returns when it began to be on its way.</param>
internal sealed class Audience(int port, string session, int count, IDisposable? server, Func<Task<long>> send)
    : IDisposable
{
    private readonly Process _readers = Process.Start(new ProcessStartInfo(
        Environment.ProcessPath!,
        [typeof(Audience).Assembly.Location, "readers", $"{port}", session, $"{count}"])
    {
        RedirectStandardOutput = true,
    })!;

    public int Count => count;

    /// <summary>When half of the readers had an event.</summary>
    public Figures Half { get; } = new("half");

    /// <summary>When 99 of 100 had it.</summary>
    public Figures Most { get; } = new("most");

    /// <summary>Completes when all streams are open.</summary>
    public Task Open() => Line();

    public async Task Hear(bool isWarm)
    {
        var start = await send();
        var arrivals = (await Line()).Split(' ')
            .Select(text => Stopwatch.GetElapsedTime(start, long.Parse(text, CultureInfo.InvariantCulture))).ToList();
        if (isWarm)
        {
            Half.Add(arrivals[0]);
            Most.Add(arrivals[1]);
        }
    }

    public void Dispose()
    {
        _readers.Kill();
        _readers.Dispose();
        server?.Dispose();
    }

    private async Task<string> Line() => await _readers.StandardOutput.ReadLineAsync()
        ?? throw new InvalidOperationException("The process with the readers has ended.");
}
