using System.Globalization;
using Tenon.Server.Tests.Simulation;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>
/// Runs of a session in which the process dies, before every step or at random. Whatever comes, the log keeps its
/// rules; and where nothing but the crashes is different, the conversation is the same as without them.
/// </summary>
/// <remarks>
/// A failure names its seed. <c>TENON_SIMULATION=7</c> runs that seed alone, <c>TENON_SIMULATION=0..100000</c> as many
/// as are wanted; so does <c>./tenon simulate 0..100000</c>.
/// </remarks>
public sealed class SimulationTests
{
    private const int SeedsInTheGate = 600;
    private const int OutcomeOrders = 3;

    [Fact]
    public void A_run_that_dies_before_any_one_step_comes_to_the_same_end()
    {
        var scenario = Scenario.Make(1, isChaotic: false);
        var whole = SimulatedRuns.Run(scenario, 1, []);
        Parallel.For(1, whole.Steps, step =>
            SimulatedRuns.Compare(whole, SimulatedRuns.Run(scenario, 1, [step])));
    }

    [Fact]
    public void A_run_with_an_outcome_that_dies_before_any_one_step_comes_to_the_same_end()
    {
        var scenario = Scenario.MakeOutcome(isChaotic: false);
        for (var order = 1; order <= OutcomeOrders; order++)
        {
            var whole = SimulatedRuns.Run(scenario, order, []);
            Assert.Equal(["needs_revision", "satisfied"],
                whole.Log.Events.OfType<OutcomeEvaluationEnd>().Select(end => end.Result));
            var now = order;
            Parallel.For(1, whole.Steps, step =>
                SimulatedRuns.Compare(whole, SimulatedRuns.Run(scenario, now, [step])));
        }
    }

    [Fact]
    public void Interrupts_and_crashes_in_the_middle_of_an_outcome_end_it_once() =>
        Parallel.For(0, SeedsInTheGate, seed =>
        {
            var random = new Random(seed);
            SimulatedRuns.Run(Scenario.MakeOutcome(isChaotic: true), seed, [random.Next(150), random.Next(150)]);
        });

    [Fact]
    public void Agents_that_work_together_come_to_the_same_end_whenever_the_process_dies()
    {
        var whole = TeamRuns.Run(1, []);
        Parallel.For(1, whole.Steps, step => TeamRuns.Run(1, [step]));
    }

    [Fact]
    public void Agents_that_work_together_outlast_crashes_at_random() =>
        Parallel.For(0, SeedsInTheGate, seed =>
        {
            var random = new Random(seed);
            TeamRuns.Run(seed, [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(300))]);
        });

    [Fact]
    public void Runs_that_die_at_random_come_to_the_same_end()
    {
        var (from, to) = Seeds(Environment.GetEnvironmentVariable("TENON_SIMULATION"));
        Parallel.For(from, to, SimulatedRuns.Check);
    }

    private static (int From, int To) Seeds(string? asked)
    {
        if (string.IsNullOrEmpty(asked))
        {
            return (0, SeedsInTheGate);
        }

        var ends = asked.Split("..").Select(end => int.Parse(end, CultureInfo.InvariantCulture)).ToList();
        return (ends[0], ends.Count > 1 ? ends[1] : ends[0] + 1);
    }
}
