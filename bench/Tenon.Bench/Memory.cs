using Tenon.Server.Events;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// What idle sessions cost in memory: after they were made, after each has had a turn, and when their owners have been
/// let go. Client and model service are in the same process, so the whole is somewhat too large.
/// </summary>
internal static class Memory
{
    private const string Name = "memory";
    private const int Sessions = 10_000;
    private const int AtOnce = 64;
    private const int WarmUps = 2_000;
    private const double Megabyte = 1 << 20;
    private const double WholeMbMax = 300;

    /// <summary>Less than this a session is what caches and fragments of the heap come to.</summary>
    private const double NothingBytes = 100;

    public static async Task Run(BenchRun run)
    {
        await using var server = await run.StartServer(_ => Reply.Text("hello ", "world"));
        var body = await server.NewAgent();
        var warm = new string[WarmUps];
        await Each(WarmUps, async i => await server.Send(warm[i] = await server.NewSession(body)));
        await Settle(server, warm[0]);
        var before = Now();

        var sessions = new string[Sessions];
        await Each(Sessions, async i => sessions[i] = await server.NewSession(body));
        await Settle(server, warm[0]);
        var (stands, made) = (Resident(), Now());
        Report(run, "made", before, made);
        Total(run, "made", stands);

        await Each(Sessions, i => Turn(server, sessions[i]));
        (stands, var worked) = (Resident(), Now());
        Report(run, "after a turn of each, owners in memory", before, worked);
        Total(run, "after a turn of each", stands);

        await Settle(server, warm[0]);
        Report(run, "owners let go", before, Now(), NothingBytes);
        await ServerMemory.Run(run);
    }

    private static Task Each(int count, Func<int, Task> work) => Parallel.ForEachAsync(
        Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
        async (i, _) => await work(i));

    private static async Task Turn(BenchServer server, string session)
    {
        await using var stream = await server.Stream(session);
        await server.Send(session);
        await BenchServer.Until(stream, "session.status_idle");
    }

    /// <summary>Lets all go that time alone would let go.</summary>
    private static async Task Settle(BenchServer server, string session)
    {
        await Task.Delay(Feed.ReplayAfterEnd);
        await Turn(server, session); // Any append sweeps the turns that are no longer replayed.
        await server.Deactivate();
    }

    private static (double Managed, double Resident) Now()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return (GC.GetTotalMemory(forceFullCollection: false), Resident());
    }

    private static double Resident() => Environment.WorkingSet;

    private static void Report(
        BenchRun run, string when, (double Managed, double Resident) before, (double Managed, double Resident) after,
        double? reach = null)
    {
        run.Add(new Measure
        {
            Name = Name, What = $"managed memory of an idle session, {when}", Unit = "bytes",
            Here = (after.Managed - before.Managed) / Sessions, Reach = reach,
        });
        run.Add(new Measure
        {
            Name = Name, What = $"resident memory of an idle session, {when}", Unit = "bytes",
            Here = (after.Resident - before.Resident) / Sessions,
        });
    }

    /// <summary>As it stands, without a collection that nobody would have asked for.</summary>
    private static void Total(BenchRun run, string when, double resident) => run.Add(new Measure
    {
        Name = Name, What = BenchRun.Invariant($"resident memory in all with {Sessions:#,0} idle sessions, {when}"),
        Here = resident / Megabyte, Unit = "MB", Reach = WholeMbMax,
    });
}
