using System.Diagnostics;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// A session's next turn by the length of its log. The log is grown by interrupts of the idle session, which the model
/// never sees, so that its requests are the same.
/// </summary>
internal static class LogLength
{
    private const string Name = "long-log";
    private const int WarmUps = 150;
    private const int Samples = 30;
    private const int GrowthEach = 500;

    /// <summary>
    /// Until then a turn also pays for what so many events at once have left: pages that the database has not moved
    /// yet, and garbage of who wrote and who read them.
    /// </summary>
    private const int SettlingTurns = 15;

    /// <summary>What clocks and caches alone may make of a flat line.</summary>
    private const double FlatRatio = 1.25;

    /// <summary>A session with one turn has about as many as the first.</summary>
    private static readonly int[] Lengths = [10, 1_000, 10_000];

    public static async Task Run(BenchRun run)
    {
        await using var server = await run.StartServer(_ => Reply.Text("hello ", "world"));
        var body = await server.NewAgent();
        var warm = Lengths.ToDictionary(length => length, _ => new Figures("the next turn"));
        var cold = Lengths.ToDictionary(length => length, _ => new Figures("the same by an owner that reads the log"));
        for (var i = -WarmUps; i < Samples; i++)
        {
            foreach (var length in i < 0 ? Lengths[..1] : Lengths)
            {
                var (next, first) = await Sample(server, body, length);
                if (i >= 0)
                {
                    warm[length].Add(next);
                    cold[length].Add(first);
                }
            }
        }

        foreach (var (figures, flat) in new[] { (warm, FlatRatio), (cold, default(double?)) })
        {
            Report(run, figures, flat);
        }
    }

    private static async Task<(TimeSpan Next, TimeSpan Cold)> Sample(BenchServer server, string body, int length)
    {
        await using var talk = await Talk.Open(server, body);
        for (var grown = Lengths[0]; grown < length; grown += GrowthEach)
        {
            await server.Interrupt(talk.Session, Math.Min(GrowthEach, length - grown));
        }

        for (var turn = 0; turn < SettlingTurns; turn++)
        {
            await talk.Turn();
        }

        var start = Stopwatch.GetTimestamp();
        await talk.Turn();
        var next = Stopwatch.GetElapsedTime(start);

        await server.Deactivate();
        start = Stopwatch.GetTimestamp();
        await talk.Turn();
        return (next, Stopwatch.GetElapsedTime(start));
    }

    private static void Report(BenchRun run, Dictionary<int, Figures> figures, double? flat)
    {
        var floor = figures[Lengths[0]].P50;
        foreach (var length in Lengths)
        {
            var isFloor = length == Lengths[0];
            run.Add(new Measure
            {
                Name = Name, Unit = "ms", Here = figures[length].P50,
                What = BenchRun.Invariant($"{figures[length].Name}, {length:#,0} events in the log, p50"),
                Floor = isFloor ? null : floor, FloorIs = $"with {Lengths[0]} events",
                Ratio = isFloor ? null : figures[length].P50 / floor,
                ReachRatio = isFloor ? null : flat,
            });
        }
    }
}
