using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Harness;

public sealed class JudgeTests
{
    private static readonly AgentTool Judged = new AgentToolset
    {
        DefaultConfig = new ToolDefaults { PermissionPolicy = new PermissionPolicy { Type = PermissionPolicy.Auto } },
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_is_judged_harmless_runs()
    {
        await using var world = new TurnWorld(Judged);
        world.Model.Calls("bash", """{"command":"echo judged"}""").Says("ALLOW").Says("done");
        await world.Send("say judged");

        await world.Run(Token);

        Assert.Equal(
            ("allow", """{"type":"auto","evaluated_permission":{"type":"allow"}}"""), Evaluation(world));
        Assert.Equal([ContentBlock.Of("judged")], world.Events<AgentToolResult>().Single().Content);
    }

    [Fact]
    public async Task A_call_that_is_judged_dangerous_is_refused_and_the_model_is_told()
    {
        await using var world = new TurnWorld(Judged);
        world.Model.Calls("bash", """{"command":"rm -rf /"}""").Says("deny.").Says("sorry");
        await world.Send("tidy up");

        await world.Run(Token);

        Assert.Equal(
            ("deny", """{"type":"auto","evaluated_permission":{"type":"deny","reason_code":"high_risk"}}"""),
            Evaluation(world));
        var result = world.Events<AgentToolResult>().Single();
        Assert.True(result.IsError);
        Assert.Contains("high risk", ((TextBlock)result.Content!.Single()).Text);
        Assert.Equal("end_turn", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_judge_that_gives_no_clear_word_leaves_the_call_to_the_client()
    {
        await using var world = new TurnWorld(Judged);
        world.Model.Calls("bash", """{"command":"true"}""").Says("Well, ALLOW it, I suppose");
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal(
            ("ask", """{"type":"auto","evaluated_permission":{"type":"ask","reason_code":"indeterminate"}}"""),
            Evaluation(world));
        Assert.Equal("requires_action", world.Events<SessionStatusIdle>().Single().StopReason.Type);
    }

    [Fact]
    public async Task A_judge_that_cannot_be_asked_leaves_the_call_to_the_client()
    {
        await using var world = new TurnWorld(Judged);
        world.Model.Calls("bash", """{"command":"true"}""").Fails(ModelFaultKind.Overloaded);
        await world.Send("go");

        await world.Run(Token);

        Assert.Equal("ask", world.Events<AgentToolUse>().Single().EvaluatedPermission);
    }

    [Fact]
    public async Task The_judge_sees_the_users_words_and_the_call_and_its_tokens_count()
    {
        await using var world = new TurnWorld(Judged);
        world.Model.Calls("bash", """{"command":"echo judged"}""").Says("ALLOW").Says("done");
        await world.Send("say judged");

        await world.Run(Token);

        var seen = ((ModelText)world.Model.Requests.ElementAt(1).Messages.Single().Content.Single()).Text;
        Assert.Contains("say judged", seen);
        Assert.Contains("""bash {"command":"echo judged"}""", seen);
        Assert.Equal(30, world.Events<SessionUsageEvent>().Single().Usage.InputTokens);
    }

    private static (string?, string) Evaluation(TurnWorld world)
    {
        var use = world.Entries.Single(entry => entry.Type == "agent.tool_use");
        var json = JsonElement.Parse(use.Body);
        return (json.Text("evaluated_permission"), json.At("evaluation").GetRawText());
    }
}
