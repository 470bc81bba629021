using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>What becomes of a session's threads when something happens to all of the session.</summary>
public sealed class TeamLifeTests(TestServer server)
{
    private const string Asking =
        """[{"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}}}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_fork_has_the_threads_under_names_of_its_own_and_they_go_on()
    {
        var team = await Team.Start(server, ["reviewer"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("reviewer", "first")).Says("Waiting.").Says("Got it.");
        await team.Run("go", "reviewer", "one");
        var before = await team.Thread("reviewer");

        var made = (await server.Post($"{team.Session.Path}/fork", "{}")).Ok();
        var fork = team with { Session = team.Session with { Created = made } };
        var thread = await fork.Thread("reviewer");
        team.Session.Model.Calls("send_to_agent", Team.Writes(thread.Text("id"), "second"))
            .Says("Waiting.").Says("Ok.");
        await fork.Run("more", "reviewer", "two");

        Assert.NotEqual(before.Text("id"), thread.Text("id"));
        Assert.Equal((await fork.Threads())[0].Text("id"), thread.Text("parent_thread_id"));
        Assert.Equal(["first", "one", "second"], team["reviewer"].Requests.Last().Messages
            .SelectMany(message => message.Content).OfType<ModelText>().Select(text => text.Text));
        Assert.DoesNotContain(before.Text("id"), (await fork.Session.List()).GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("second", (await team.Events(before.Text("id"))).GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killing_a_session_ends_every_thread_of_it()
    {
        var team = await Team.Start(server, ["slow"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("slow", "x")).Says("Waiting.");
        team["slow"].SaysAndHangs("hm");
        await team.Session.Send(TestSession.Says("go"));
        await team.Working("slow", Cancelled);
        await team.Resting();

        (await server.Post($"{team.Session.Path}/kill")).Ok();

        Assert.All(await team.Threads(), thread => Assert.Equal("terminated", thread.Text("status")));
        var types = await team.Session.Types();
        Assert.Equal(2, types.Count(type => type == "session.thread_status_terminated"));
        Assert.Equal("session.status_terminated", types[^1]);
        var thread = await team.Thread("slow");
        Assert.Contains("span.model_request_end", (await team.Events(thread.Text("id"))).Texts("type"));
    }

    [Fact]
    public async Task Archiving_an_idle_session_ends_every_thread_and_deleting_it_leaves_none()
    {
        var team = await Team.Start(server, ["reviewer"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("reviewer", "x")).Says("Waiting.").Says("Done.");
        await team.Run("go", "reviewer", "one");
        var thread = await team.Thread("reviewer");

        (await server.Post($"{team.Session.Path}/archive")).Ok();
        Assert.All(await team.Threads(), one => Assert.Equal("terminated", one.Text("status")));
        (await server.Delete(team.Session.Path)).Ok();

        (await server.Get($"{team.Session.Path}/threads/{thread.Text("id")}")).Refused(
            404, $"Session '{team.Session.Id}' was not found.");
    }

    [Fact]
    public async Task An_interrupt_of_threads_that_all_wait_is_told_by_one_idle()
    {
        string[] names = ["a", "b"];
        var team = await Team.Start(server, names, Asking);
        team.Session.Model.Answers([.. names.Select(name => new ModelToolUse(
            name, "send_to_agent", System.Text.Json.JsonElement.Parse(Team.Gives(name, "x"))))]).Says("Waiting.");
        foreach (var name in names)
        {
            team[name].Calls("bash", """{"command":"true"}""");
        }

        Assert.Equal(2, (await team.Session.RunUntilItAsks(TestSession.Says("go"))).Count);
        await using var stream = await team.Session.Stream();
        await team.Session.Send(TestSession.Interrupts);
        team.Session.Model.Says("Here.");
        await team.Session.Send(TestSession.Says("are you there?"));
        var events = await stream.Until("session.status_running");

        Assert.Single(events, @event => @event.Name == "session.status_idle");
        Assert.Equal("end_turn",
            events.Single(@event => @event.Name == "session.status_idle").Json.Text("stop_reason.type"));
        Assert.Equal(2, events.Count(@event => @event.Name == "session.thread_status_idle"));
    }

    [Fact]
    public async Task One_budget_holds_for_all_threads()
    {
        await using var own = await TestServer.Start();
        var child = (await own.Post("/v1/agents", """{"name":"costly","model":"claude-sonnet-5"}""")).Ok().Text("id");
        var lead = await own.NewAgent(
            "claude-opus-5", $$"""
            "multiagent":{"type":"coordinator","agents":["{{child}}"]}
            """);
        var session = await own.NewSessionOf("claude-opus-5", lead, """
            "budget":{"type":"limit","max_list_cost":{"amount":"100","currency":"USD"} }
            """);
        session.Model.Calls("send_to_agent", Team.Gives("costly", "x")).Says("Waiting.");
        var spent = own.Models.Of("claude-sonnet-5").AnswersWhenReleased(new ModelResponse
        {
            Stop = ModelStop.EndTurn,
            Content = [new ModelText("It cost much.")],
            Usage = new ModelUsage { InputTokens = 10_000_000 },
        });

        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await session.Model.Asked(Cancelled);
        await session.Model.Asked(Cancelled);
        spent.SetResult();
        var events = await stream.Until("session.status_idle");
        Assert.Equal("budget_reached", events[^1].Json.Text("stop_reason.type"));
        Assert.Equal(2, session.Model.Requests.Count);
        session.Model.Says("I see.");
        (await own.Post(session.Path, """{"budget":null}""")).Ok();
        await stream.Until("session.status_idle");

        Assert.Contains("It cost much.", Team.Told(session.Model), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Domains_of_the_one_who_gives_work_bind_the_one_who_does_it()
    {
        const string fetch =
            """[{"type":"agent_toolset_20260401","configs":[{"name":"web_fetch","allowed_domains":["a.example"]}]}]""";
        var model = $"bound-{Guid.NewGuid():N}";
        var child = (await server.Post("/v1/agents",
            $$"""{"name":"free","model":"{{model}}-child","tools":[{"type":"agent_toolset_20260401"}]}"""))
            .Ok().Text("id");
        var session = await server.NewSessionOf(model, await server.NewAgent(model, $$"""
            "tools":{{fetch}},"multiagent":{"type":"coordinator","agents":["{{child}}"]}
            """));
        session.Model.Calls("send_to_agent", Team.Gives("free", "x")).Says("Waiting.").Says("Ok.");
        var worker = server.Models.Of($"{model}-child");
        worker.Calls("web_fetch", """{"url":"https://b.example/"}""").Says("done");

        await session.Run(TestSession.Says("go"));

        var result = worker.Requests.Last().Messages[^1].Content.OfType<ModelToolResult>().Single();
        Assert.Contains("url_not_allowed", ((TextBlock)result.Content[0]).Text, StringComparison.Ordinal);
    }
}
