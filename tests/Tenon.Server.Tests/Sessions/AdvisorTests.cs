using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>The advisor that the primary thread can consult (api C.9).</summary>
public abstract class AdvisorTests(TestServer server)
{
    private const string Asks = """{"question":"What next?"}""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_consultation_tells_its_events_and_its_advice_is_the_result()
    {
        var (team, advisor) = await Start();
        team.Session.Model.Answers(
            new ModelText("I will ask."), new ModelToolUse("1", "consult_advisor", JsonElement.Parse(Asks)));
        team.Session.Model.Says("I follow it.");
        advisor.Says("Write the test first.");

        var events = await team.Session.Run(TestSession.Says("Fix the bug."));

        var told = events.Where(@event => @event.Name is "session.thread_created" or "agent.thread_message_received"
            || (@event.Name.StartsWith("session.thread_status", StringComparison.Ordinal)
                && @event.Json.Text("agent_name") == "anthropic.advisor")).ToList();
        Assert.Equal(["session.thread_created", "session.thread_status_running", "agent.thread_message_received",
            "session.thread_status_idle", "session.thread_status_terminated"], told.Select(@event => @event.Name));
        Assert.Equal("anthropic.advisor", told[0].Json.Text("agent_name"));
        Assert.Equal("anthropic.advisor", told[2].Json.Text("from_agent_name"));
        Assert.Equal("Write the test first.", told[2].Json.Text("content.0.text"));
        Assert.Equal("end_turn", told[3].Json.Text("stop_reason.type"));
        Assert.DoesNotContain("agent.tool_use", events.Select(@event => @event.Name));
        Assert.DoesNotContain("agent.thread_message_sent", events.Select(@event => @event.Name));
        var result = Assert.IsType<ModelToolResult>(Assert.Single(team.Session.Model.Requests.Last()
            .Messages[^1].Content));
        Assert.Equal("Write the test first.", ((TextBlock)result.Content[0]).Text);
        var input = ((ModelText)advisor.Requests.Single().Messages.Single().Content.Single()).Text;
        Assert.Contains("Fix the bug.", input, StringComparison.Ordinal);
        Assert.EndsWith("What next?", input, StringComparison.Ordinal);
        Assert.Empty(advisor.Requests.Single().Tools);
        var thread = (await team.Threads())[1];
        Assert.Equal("terminated", thread.Text("status"));
        Assert.Equal(["model", "type"], thread.At("agent").Names().Order());
        Assert.Equal(10, thread.At("usage.input_tokens").GetInt32());
        Assert.Contains("agent.thread_message_sent", (await team.Events(thread.Text("id"))).Texts("type"));
    }

    [Fact]
    public async Task A_consultation_that_fails_does_not_fail_the_turn()
    {
        var (team, advisor) = await Start();
        team.Session.Model.Calls("consult_advisor", Asks).Says("I go on alone.");
        advisor.Fails(ModelFaultKind.Rejected);

        var events = await team.Session.Run(TestSession.Says("go"));

        Assert.Equal("end_turn", events[^1].Json.Text("stop_reason.type"));
        Assert.DoesNotContain("agent.thread_message_received", events.Select(@event => @event.Name));
        var result = (ModelToolResult)team.Session.Model.Requests.Last().Messages[^1].Content.Single();
        Assert.StartsWith("The advisor could not be consulted.", ((TextBlock)result.Content[0]).Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_of_its_thread_abandons_only_the_consultation()
    {
        var (team, advisor) = await Start();
        team.Session.Model.Calls("consult_advisor", Asks).Says("I go on alone.");
        advisor.SaysAndHangs("Hm");
        await using var stream = await team.Session.Stream();
        await team.Session.Send(TestSession.Says("go"));
        await advisor.Asked(Cancelled);
        var created = (await stream.Until("session.thread_created"))[^1].Json.Text("session_thread_id");

        await team.Session.Send($$"""{"type":"user.interrupt","session_thread_id":"{{created}}"}""");
        var rest = await stream.Until("session.status_idle");

        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.Contains("agent.message", rest.Select(@event => @event.Name));
        Assert.Equal(2, team.Session.Model.Requests.Count);
    }

    [Fact]
    public async Task An_interrupt_of_the_session_ends_the_advisor_and_the_turn()
    {
        var (team, advisor) = await Start();
        team.Session.Model.Calls("consult_advisor", Asks);
        advisor.SaysAndHangs("Hm");
        await using var stream = await team.Session.Stream();
        await team.Session.Send(TestSession.Says("go"));
        await advisor.Asked(Cancelled);
        await stream.Until("session.thread_created");

        await team.Session.Send(TestSession.Interrupts);
        var rest = await stream.Until("session.status_idle");

        Assert.Contains("session.thread_status_terminated", rest.Select(@event => @event.Name));
        Assert.Equal("terminated", (await team.Threads())[1].Text("status"));
        Assert.Single(team.Session.Model.Requests);
        team.Session.Model.Says("Here I am.");
        Assert.Equal("end_turn", (await team.Session.Run(TestSession.Says("more")))[^1].Json.Text("stop_reason.type"));
    }

    private async Task<(Team Team, ScriptedModel Advisor)> Start()
    {
        var model = $"advisor-{Guid.NewGuid():N}";
        var team = await Team.Start(server, [], rest: $$"""{"type":"advisor","model":"{{model}}"}""");
        return (team, server.Models.Of(model));
    }
}
