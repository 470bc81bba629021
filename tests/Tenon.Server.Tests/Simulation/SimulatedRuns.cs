using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Storage;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Simulation;

/// <summary>Runs scenarios, and says what must hold of what they leave in the log.</summary>
internal static class SimulatedRuns
{
    private const int CrashesMax = 6;

    /// <summary>One seed: the scenario without a crash and with some, and the same seed once more with chaos.</summary>
    public static void Check(int seed)
    {
        var random = new Random(seed);
        var scenario = Scenario.Make(seed, isChaotic: false);
        var whole = Run(scenario, seed, []);
        Compare(whole, Run(scenario, random.Next(), Crashes(random, whole.Steps)));
        Run(Scenario.Make(seed, isChaotic: true), random.Next(), Crashes(random, whole.Steps));
    }

    /// <summary>The world as it is when all has come to rest, and its log keeps the rules.</summary>
    /// <exception cref="SimulationException">It does not; the message says how to see it again.</exception>
    public static World Run(Scenario scenario, int order, IReadOnlyList<int> crashes)
    {
        var world = new World(scenario, order, crashes.ToHashSet());
        try
        {
            world.Run();
            CheckLog(world);
            CheckEffects(world);
            return world;
        }
        catch (Exception exception)
        {
            throw new SimulationException(scenario, order, crashes, world, exception);
        }
    }

    /// <summary>Crashes change when things happen, and nothing else: the same was said and done.</summary>
    public static void Compare(World whole, World crashed)
    {
        Assert.Equal(Conversation(whole), Conversation(crashed));
        Assert.Equal(Visible(whole), Visible(crashed));
    }

    private static List<int> Crashes(Random random, int steps) =>
        [.. Enumerable.Range(0, random.Next(1, CrashesMax)).Select(_ => random.Next(steps))];

    private static string Conversation(World world) => JsonSerializer.Serialize(world.Folded().Messages);

    /// <summary>What clients see, in an order that does not depend on what ran beside what.</summary>
    private static List<string> Visible(World world) => [.. Newest(world.Log.Events).Select(@event => @event switch
    {
        UserMessage message => Text(message.Content),
        SystemMessage message => Text(message.Content),
        AgentMessage message => Text(message.Content),
        AgentToolUse use => $"{use.Name} {use.Input} {use.EvaluatedPermission}",
        AgentCustomToolUse use => $"{use.Name} {use.Input}",
        AgentMcpToolUse use => $"{use.McpServerName} {use.Name} {use.Input} {use.EvaluatedPermission}",
        AgentToolResult result => $"{result.IsError} {Text(result.Content!)}",
        AgentMcpToolResult result => $"{result.IsError} {Text(result.Content!)}",
        UserToolConfirmation said => said.Result,
        AgentThreadContextCompacted => "compacted",
        UserDefineOutcome outcome => outcome.Description,
        OutcomeEvaluationStart start => $"evaluation {start.Iteration}",
        OutcomeEvaluationEnd end => $"{end.Iteration} {end.Result}: {end.Explanation}",
        _ => "",
    }).Where(text => text.Length > 0).Order(StringComparer.Ordinal)];

    private static void CheckLog(World world)
    {
        var newest = Newest(world.Log.Events).ToList();
        Assert.All(newest, @event => Assert.NotNull(@event.ProcessedAt));
        Assert.Subset(newest.Select(@event => @event.Id!).ToHashSet(), world.Client.Acknowledged.ToHashSet());
        Assert.Equal(
            Calls(newest).Order(),
            newest.Select(ResultOf).OfType<string>().Order());
        Assert.Equal(
            newest.OfType<ModelRequestStart>().Select(start => start.Id),
            newest.OfType<ModelRequestEnd>().Select(end => end.ModelRequestStartId));
        Assert.Equal(
            Enumerable.Range(0, world.Messages).Select(number => $"message {number}"),
            newest.Select(@event => @event switch
            {
                UserMessage message => Text(message.Content),
                UserDefineOutcome outcome => outcome.Description,
                _ => null,
            }).OfType<string>());
        CheckStatuses(newest);
        CheckOutcomes(newest);
        CheckAnswers(world);
    }

    /// <summary>From idle to running and back, with the same word of the thread and what was used beside it.</summary>
    private static void CheckStatuses(List<SessionEvent> events)
    {
        var status = "idle";
        for (var i = 0; i < events.Count; i++)
        {
            switch (events[i])
            {
                case SessionStatusRunning:
                    Assert.Contains(status, (string[])["idle", "rescheduling"]);
                    Assert.IsType<ThreadStatusRunning>(events[i + 1]);
                    status = "running";
                    break;
                case SessionStatusRescheduled:
                    Assert.Equal("running", status);
                    status = "rescheduling";
                    break;
                case SessionStatusIdle:
                    Assert.IsType<SessionUsageEvent>(events[i - 1]);
                    Assert.IsType<ThreadStatusIdle>(events[i - 2]);
                    status = "idle";
                    break;
                case ModelRequestStart:
                    Assert.Equal("running", status);
                    break;
            }
        }

        Assert.Equal("idle", status);
    }

    /// <summary>Each evaluation that began has ended, once, and each outcome is over, once.</summary>
    private static void CheckOutcomes(List<SessionEvent> events)
    {
        var ends = events.OfType<OutcomeEvaluationEnd>().ToList();
        Assert.Equal(
            events.OfType<OutcomeEvaluationStart>().Select(start => start.Id),
            ends.Select(end => end.OutcomeEvaluationStartId).Where(id => id.Length > 0));
        Assert.Equal(
            events.OfType<UserDefineOutcome>().Select(outcome => outcome.OutcomeId),
            ends.Where(end => end.Result != "needs_revision").Select(end => end.OutcomeId));
    }

    /// <summary>Whether a call is a grader's, which no event shows.</summary>
    public static bool IsOfGrader(string callId) => callId.StartsWith("grade_", StringComparison.Ordinal);

    /// <summary>What the model said and what clients see of it came together, or not at all.</summary>
    private static void CheckAnswers(World world)
    {
        Assert.Equal(
            world.Log.Entries.Count(entry => entry.Type == LogTypes.ModelAnswer),
            world.Log.Entries.Count(entry => entry.Type == "agent.message"));
        Assert.Equal(Enumerable.Range(1, world.Log.Entries.Count), world.Log.Entries.Select(entry => (int)entry.Seq));
    }

    /// <summary>A command that succeeded was run once. None was run twice, or although it was refused.</summary>
    private static void CheckEffects(World world)
    {
        var events = world.Log.Events;
        var uses = events.OfType<AgentToolUse>().ToDictionary(use => use.Id!);
        Assert.All(world.Sandboxes.Effects, effect =>
        {
            Assert.Equal(1, effect.Value);
            if (IsOfGrader(effect.Key))
            {
                return;
            }

            Assert.NotEqual("deny", uses[effect.Key].EvaluatedPermission);
            Assert.DoesNotContain(events.OfType<UserToolConfirmation>(), said => said.ToolUseId == effect.Key
                && said.Result == "deny");
        });
        Assert.All(world.Mcp.Effects, effect => Assert.Equal(1, effect.Value));
        Assert.All(events.OfType<AgentToolResult>().Where(result => result.IsError != true), result =>
            Assert.Contains(result.ToolUseId, world.Sandboxes.Effects.Keys));
    }

    private static IEnumerable<string> Calls(IEnumerable<SessionEvent> events) =>
        events.Where(@event => @event is AgentToolUse or AgentMcpToolUse or AgentCustomToolUse)
            .Select(@event => @event.Id!);

    private static string? ResultOf(SessionEvent @event) => @event switch
    {
        AgentToolResult result => result.ToolUseId,
        AgentMcpToolResult result => result.McpToolUseId,
        UserCustomToolResult result => result.CustomToolUseId,
        _ => null,
    };

    /// <summary>Each event once, where it took effect.</summary>
    private static IEnumerable<SessionEvent> Newest(IReadOnlyList<SessionEvent> events)
    {
        var last = events.Select((@event, i) => (@event.Id, i)).GroupBy(state => state.Id)
            .ToDictionary(states => states.Key!, states => states.Last().i);
        return events.Where((@event, i) => last[@event.Id!] == i);
    }

    private static string Text(IReadOnlyList<ContentBlock> content) =>
        string.Concat(content.OfType<TextBlock>().Select(block => block.Text));
}

/// <summary>A run that broke a rule.</summary>
internal sealed class SimulationException(
    Scenario scenario, int order, IReadOnlyList<int> crashes, World world, Exception cause)
    : Exception(Describe(scenario, order, crashes, world, cause), cause)
{
    private static string Describe(
        Scenario scenario, int order, IReadOnlyList<int> crashes, World world, Exception cause) =>
        $"""
        Seed {scenario.Seed}{(scenario.IsChaotic ? " with chaos" : "")}, order {order}, crashes before the steps
        {string.Join(' ', crashes)}, at step {world.Steps}: {cause.Message}
        See it again with TENON_SIMULATION={scenario.Seed}. The log:
        {string.Join('\n', world.Log.Entries.Select(entry => $"{entry.Seq,4} {entry.Type} {Short(entry.Body)}"))}
        """;

    private static string Short(string body) => body.Length <= 160 ? body : body[..160] + "…";
}
