using Tenon.Bench.Soak;

namespace Tenon.Bench;

/// <summary>A small crash soak: until all sessions go on after SIGKILL, and what was lost or happened twice.</summary>
internal static class Recovery
{
    private const string Name = "recovery";
    private const double ReachMs = 2_000;

    // Every session has its sandbox by then, so that each kill finds them all at work.
    private static readonly CrashPlan Plan = new()
    {
        Kills = 3, Sessions = 100, Seed = 1, TimedEvery = 1, KillMinMs = 10_000,
    };

    public static async Task Run(BenchRun run)
    {
        var result = await CrashSoak.Run(Plan with { Postgres = run.Postgres }, Console.Error.WriteLine);
        run.Add(new Measure
        {
            Name = Name, What = $"from a start after SIGKILL until {Plan.Sessions} running sessions go on, median",
            Here = result.Back.P50, Unit = "ms", Reach = ReachMs,
            Floor = result.Ready.P50, FloorIs = "until the same start takes requests",
            Ratio = result.Back.P50 / result.Ready.P50,
        });
        var faults = result.Faults;
        run.Add(new Measure
        {
            Name = Name, What = $"lost, unseen, out of order, twice, missing or failed in {Plan.Kills} kills",
            Here = faults.Lost + faults.Unseen + faults.OutOfOrder + faults.Twice + faults.Missing + faults.Errors,
            Unit = "events", Reach = 0,
        });
    }
}
