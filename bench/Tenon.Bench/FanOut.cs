using System.Diagnostics;
using System.Globalization;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>From the moment from which an event is durable to the moment at which all readers have it.</summary>
internal static class FanOut
{
    private const int WarmUps = 40;
    private const int Events = 60;
    private const double ReachMs = 50;

    /// <summary>A stream needs a descriptor at each of its ends, and each process some more.</summary>
    private const int OtherDescriptors = 1_000;

    private static readonly int[] Counts = [1, 100, 10_000];

    public static async Task Run(BenchRun run)
    {
        RefuseFewDescriptors();

        // Not at once: floor and server together need more descriptors than many machines give to a process.
        var floors = await Hear(async count => await Bare(count));
        await using var server = await run.StartServer(_ => Reply.Text("hello"));
        var body = await server.NewAgent();
        var heard = await Hear(async count => await Through(server, await server.NewSession(body), count));
        foreach (var (audience, floor) in heard.Zip(floors))
        {
            run.Add(new Measure
            {
                Name = "fan-out", Here = audience.Most.P50, Unit = "ms",
                What = BenchRun.Invariant($"an event to readers, {audience.Count:#,0} of them, p99 over them"),
                Reach = audience.Count == Counts[^1] ? ReachMs : null,
                Floor = floor.Most.P50, FloorIs = "from a bare loop", Ratio = audience.Most.P50 / floor.Most.P50,
            });
            run.Add(new Measure
            {
                Name = "fan-out", Here = audience.Half.P50, Unit = "ms",
                What = BenchRun.Invariant($"an event to readers, {audience.Count:#,0} of them, p50 over them"),
                Floor = floor.Half.P50, FloorIs = "from a bare loop", Ratio = audience.Half.P50 / floor.Half.P50,
            });
        }
    }

    /// <summary>Some events for each audience, by turns, while all of them listen.</summary>
    private static async Task<List<Audience>> Hear(Func<int, Task<Audience>> gather)
    {
        var audiences = new List<Audience>();
        foreach (var count in Counts)
        {
            audiences.Add(await gather(count));
        }

        for (var i = 0; i < WarmUps + Events; i++)
        {
            foreach (var audience in audiences)
            {
                await audience.Hear(isWarm: i >= WarmUps);
            }
        }

        audiences.ForEach(audience => audience.Dispose());
        return audiences;
    }

    private static async Task<Audience> Bare(int count)
    {
        var bare = new BareFanOut();
        var audience = new Audience(bare.Port, "bare", count, bare, () => Task.Run(() =>
        {
            var start = Stopwatch.GetTimestamp();
            bare.Send();
            return start;
        }));
        await bare.Take(count);
        await audience.Open();
        return audience;
    }

    /// <summary>An interrupt of an idle session is one event, in one append, and nothing else happens.</summary>
    private static async Task<Audience> Through(BenchServer server, string session, int count)
    {
        var audience = new Audience(server.Client.BaseAddress!.Port, session, count, null, async () =>
        {
            await server.Interrupt(session);
            return server.Log.DurableAt;
        });
        await audience.Open();
        return audience;
    }

    /// <exception cref="InvalidOperationException">The machine does not let a process have so many.</exception>
    private static void RefuseFewDescriptors()
    {
        // The runtime has raised the soft limit to the hard one.
        var limit = File.ReadLines("/proc/self/limits")
            .First(line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        if (int.TryParse(limit, CultureInfo.InvariantCulture, out var files) && files < Counts[^1] + OtherDescriptors)
        {
            throw new InvalidOperationException(
                $"tenon bench fan-out needs {Counts[^1] + OtherDescriptors} open files in a process, and this shell "
                + $"allows {files}. Type 'ulimit -n 20000' first, as root where the limit is lower.");
        }
    }
}
