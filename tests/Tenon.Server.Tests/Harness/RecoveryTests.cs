using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Storage;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

/// <summary>What a new owner does with a log that an earlier one left in the middle of a turn.</summary>
public abstract class RecoveryTests
{
    private static readonly PermissionPolicy Ask = new() { Type = PermissionPolicy.AlwaysAsk };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    protected abstract TurnWorld NewWorld(params AgentTool[] tools);

    [Fact]
    public async Task A_turn_that_is_cut_anywhere_goes_on_to_the_same_end()
    {
        await using var whole = NewWorld();
        Script(whole.Model, 0);
        await whole.Send("go");
        await whole.Run(Token);
        var entries = whole.Entries;

        // The answers of one append are durable together, so a cut is only possible between appends.
        foreach (var cut in Cuts(entries))
        {
            await using var world = NewWorld();
            await world.Copy(entries.Take(cut));
            Script(world.Model, entries.Take(cut).Count(entry => entry.Type == LogTypes.ModelAnswer));

            await world.Run(Token);

            Assert.Equal([ContentBlock.Of("done")], world.Events<AgentMessage>().Single().Content);
            Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
            Assert.Equal(2, world.Events<AgentToolResult>().Count);
            Assert.Equal(
                world.Events<ModelRequestStart>().Select(start => start.Id),
                world.Events<ModelRequestEnd>().Select(end => end.ModelRequestStartId));
        }
    }

    [Fact]
    public async Task A_call_that_a_lost_sandbox_may_have_run_is_not_run_again()
    {
        await using var whole = NewWorld();
        whole.Model.Calls("bash", """{"command":"echo ran >> /workspace/effects"}""").Says("done");
        await whole.Send("go");
        await whole.Run(Token);
        var opened = whole.Entries.First(entry => entry.Type == LogTypes.SandboxOpened);

        await using var world = NewWorld();
        await world.Copy(whole.Entries.Take((int)opened.Seq));
        world.Model.Calls("bash", """{"command":"cat /workspace/effects"}""", "call_2").Says("done");
        await world.Run(Token);

        var results = world.Events<AgentToolResult>();
        Assert.Contains("outcome is unknown", ((TextBlock)results[0].Content!.Single()).Text);
        Assert.Contains("No such file", ((TextBlock)results[1].Content![0]).Text);
        Assert.Contains("files of this session are no longer kept", ((TextBlock)results[1].Content![1]).Text);
    }

    [Fact]
    public async Task An_open_request_is_closed_as_an_error_and_asked_again()
    {
        await using var world = NewWorld();
        world.Model.SaysAndHangs("half");
        await world.Send("hi");
        using var server = new CancellationTokenSource();
        var run = world.Run(server.Token);
        await world.Appended("span.model_request_start", Token);
        await server.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);

        world.Crash();
        world.Model.Says("whole");
        await world.Run(Token);

        Assert.Equal([true, false], world.Events<ModelRequestEnd>().Select(end => end.IsError));
        Assert.Empty(world.Events<SessionError>());
        Assert.Equal([ContentBlock.Of("whole")], world.Events<AgentMessage>().Single().Content);
    }

    [Fact]
    public async Task A_command_that_runs_when_the_server_stops_runs_once_and_its_result_is_found()
    {
        await using var world = NewWorld();
        world.Model.Calls(
            "bash", """{"command":"echo ran >> effects; until [ -e go ]; do sleep 0.01; done; cat effects"}""");
        await world.Send("go");
        using var server = new CancellationTokenSource();
        var run = world.Run(server.Token);
        await world.Appended(LogTypes.SandboxOpened, Token);
        await world.SandboxFile("effects", Token);
        await server.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);

        world.Crash();
        world.Model.Says("done");
        world.WriteSandboxFile("go");
        await world.Run(Token);

        var result = world.Events<AgentToolResult>().Single();
        Assert.Equal([ContentBlock.Of("ran")], result.Content);
    }

    [Fact]
    public async Task A_call_that_waited_for_the_client_runs_although_its_sandbox_is_gone()
    {
        await using var world = NewWorld(new AgentToolset
        {
            Configs = [new ToolConfig { Name = "bash", PermissionPolicy = Ask }],
        });
        world.Model.Calls("glob", """{"pattern":"*"}""").Calls("bash", """{"command":"echo ran"}""", "call_2");
        await world.Send("go");
        await world.Run(Token);
        var waiting = world.Events<SessionStatusIdle>().Single().StopReason.EventIds!.Single();

        await world.LoseSandbox();
        world.Crash();
        world.Model.Says("done");
        await world.Log.Append(
            [
                world.Log.Stamp(new UserToolConfirmation { ToolUseId = waiting, Result = "allow" }),
                .. Turn.Running(world.Log),
            ]);
        await world.Run(Token);

        var content = world.Events<AgentToolResult>()[^1].Content!;
        Assert.Equal(ContentBlock.Of("ran"), content[0]);
        Assert.Contains("new life of the sandbox", ((TextBlock)content[1]).Text, StringComparison.Ordinal);
    }

    private static void Script(ScriptedModel model, int from)
    {
        List<Action> answers =
        [
            () => model.Answers(
                new ModelToolUse("a", "bash", JsonElement.Parse("""{"command":"echo one"}""")),
                new ModelToolUse("b", "bash", JsonElement.Parse("""{"command":"echo two"}"""))),
            () => model.Says("done"),
        ];
        answers.Skip(from).ToList().ForEach(answer => answer());
    }

    private static IEnumerable<int> Cuts(IReadOnlyList<LogEntry> entries)
    {
        // Entries of one append may share a time with those of another, so the appends are told apart by kind.
        string[] starts =
        [
            "span.model_request_start", LogTypes.ModelAnswer, LogTypes.SandboxOpened, "agent.tool_result",
            "session.thread_status_idle",
        ];
        return entries.Where(entry => starts.Contains(entry.Type)).Select(entry => (int)entry.Seq - 1);
    }
}
