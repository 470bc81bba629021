using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Simulation;

/// <summary>Runs of agents that work together, and what must hold of each whenever the process dies.</summary>
internal static class TeamRuns
{
    /// <exception cref="SimulationException">A rule is broken; the message says how to see it again.</exception>
    public static World Run(int order, IReadOnlyList<int> crashes)
    {
        var scenario = Scenario.MakeTeam();
        var world = new World(scenario, order, crashes.ToHashSet());
        try
        {
            world.Run();
            Check(world);
            return world;
        }
        catch (Exception exception)
        {
            throw new SimulationException(scenario, order, crashes, world, exception);
        }
    }

    private static void Check(World world)
    {
        CheckConversation(world);
        CheckEvents(world);
        CheckStatuses(world);

        // Nothing is done twice, and nothing is left out.
        Assert.Equal(SimulatedTeam.Tasks.Count, world.Sandboxes.Effects.Count);
        Assert.All(world.Sandboxes.Effects, effect => Assert.Equal(1, effect.Value));
        Assert.All(world.Session().Threads, thread => Assert.Contains(
            thread.History.Status, (string[])["idle", "terminated"]));
        Assert.Empty(world.Session().Runs.Open);
    }

    private static void CheckConversation(World world)
    {
        var heard = JsonSerializer.Serialize(world.Folded().Messages.SelectMany(message => message.Content)
            .SelectMany(content => content switch
            {
                ModelText text => (string[])[text.Text],
                ModelToolResult result => [string.Concat(result.Content.OfType<TextBlock>()
                    .Select(block => block.Text))],
                _ => [],
            }));
        Assert.All(SimulatedTeam.News.Take(3), news => Assert.Equal(2, heard.Split(news).Length));
        Assert.Equal("All is done.", ((ModelText)world.Folded().Messages[^1].Content[0]).Text);
    }

    private static void CheckEvents(World world)
    {
        // What the session's stream shows of another thread is the same event once more.
        var events = world.Log.Events.GroupBy(@event => @event.Id).Select(states => states.Last()).ToList();
        Assert.All(events, @event => Assert.NotNull(@event.ProcessedAt));
        Assert.Equal(SimulatedTeam.Tasks.Count + 1, events.OfType<SessionThreadCreated>().Count());
        Assert.Equal(3, events.OfType<SessionThreadCreated>().Count(created => created.WorkflowRunId is null));
        Assert.Equal(SimulatedTeam.Tasks.Count, events.OfType<AgentToolResult>().Count());
        Assert.Equal(
            events.OfType<ModelRequestStart>().Select(start => start.Id).Order(),
            events.OfType<ModelRequestEnd>().Select(end => end.ModelRequestStartId).Order());
        Assert.Equal(
            [
                "workflow_run.created", "workflow_run.status_running", "workflow_run.phase_started",
                "workflow_run.phase_ended", "workflow_run.status_ended",
            ],
            events.Select(@event => @event.Type)
                .Where(type => type.StartsWith("workflow_run", StringComparison.Ordinal)));
    }

    /// <summary>The session runs from its message to the end of all that came of it, without a pause.</summary>
    private static void CheckStatuses(World world)
    {
        var statuses = world.Log.Events.Where(@event => @event is SessionStatusRunning or SessionStatusIdle)
            .Select(@event => @event.Type);
        Assert.Equal(["session.status_running", "session.status_idle"], statuses);
    }
}
