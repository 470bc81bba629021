using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Agents that work together in threads of one session (api A.6, B.4, C.9).</summary>
public abstract class MultiagentTests(TestServer server)
{
    private const string Bash = """[{"type":"agent_toolset_20260401"}]""";

    private const string Asking =
        """[{"type":"agent_toolset_20260401","default_config":{"permission_policy":{"type":"always_ask"}}}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_is_given_work_does_it_in_its_own_thread_and_its_answer_is_a_message()
    {
        var team = await Team.Start(server, ["reviewer"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("reviewer", "Look at it."));
        var free = team.Session.Model.SaysWhenReleased("I wait for the reviewer.");
        team.Session.Model.Says("The reviewer likes it.");
        team["reviewer"].Says("It is good.");
        await using var stream = await team.Session.Stream();

        await team.Session.Send(TestSession.Says("Have it reviewed."));
        await team.Session.Model.Asked(Cancelled);
        var begun = await stream.Until("session.thread_status_idle");
        free.SetResult();
        var rest = await stream.Until("session.status_idle");

        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running", "span.model_request_start",
                "span.model_request_end", "session.thread_created", "agent.thread_message_sent",
                "session.thread_status_running",
            ],
            begun.Take(8).Select(@event => @event.Name));
        var threadId = begun[5].Json.Text("session_thread_id");
        Assert.Equal("reviewer", begun[5].Json.Text("agent_name"));
        Assert.Equal("null", begun[5].Json.At("workflow_run_id").GetRawText());
        Assert.Equal(threadId, begun[6].Json.Text("to_session_thread_id"));
        Assert.Equal("reviewer", begun[6].Json.Text("to_agent_name"));
        Assert.Equal("Look at it.", begun[6].Json.Text("content.0.text"));
        Assert.Equal(threadId, begun[^1].Json.Text("session_thread_id"));
        Assert.DoesNotContain("agent.thread_message_received", begun.Select(@event => @event.Name));
        var received = rest.Single(@event => @event.Name == "agent.thread_message_received").Json;
        Assert.Equal(JsonValueKind.String, received.At("processed_at").ValueKind);
        Assert.Equal("reviewer", received.Text("from_agent_name"));
        Assert.Equal("It is good.", received.Text("content.0.text"));
        Assert.Single(rest, @event => @event.Name == "session.status_idle");
        Assert.DoesNotContain("agent.tool_use", begun.Concat(rest).Select(@event => @event.Name));
        Assert.Contains("Message from the agent reviewer", Team.Told(team.Session.Model), StringComparison.Ordinal);
        Assert.Contains("It is good.", Team.Told(team.Session.Model), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thread_has_a_log_a_stream_and_usage_of_its_own()
    {
        var team = await Team.Start(server, ["reviewer"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("reviewer", "Look at it.")).Says("Waiting.").Says("Done.");
        var gate = team["reviewer"].SaysWhenReleased("It is good.");
        await team.Session.Send(TestSession.Says("Have it reviewed."));
        var thread = await team.Working("reviewer", Cancelled);
        Assert.Equal("running", thread.Text("status"));
        await team.Resting();
        await using var stream = await TestStream.Open(
            server.Client, $"{team.Session.Path}/threads/{thread.Text("id")}/stream?event_deltas[]=agent.message");

        gate.SetResult();
        var streamed = await stream.Until("session.thread_status_idle");
        await team.Session.UntilIdle(Cancelled);

        Assert.Equal(["agent.message", "span.model_request_end", "agent.thread_message_sent",
            "session.thread_status_idle"], streamed.Where(@event => @event.Id is not null)
            .Select(@event => @event.Name));
        var events = await team.Events(thread.Text("id"));
        Assert.Equal(["agent.thread_message_received", "session.thread_status_running", "span.model_request_start",
            "agent.message", "span.model_request_end", "agent.thread_message_sent", "session.thread_status_idle"],
            events.Texts("type"));
        Assert.False(events[0].TryGetProperty("from_agent_name", out _));
        Assert.Equal("Look at it.", events[0].Text("content.0.text"));
        var primary = (await team.Threads())[0];
        var ended = await team.Thread("reviewer");
        Assert.Equal(primary.Text("id"), ended.Text("parent_thread_id"));
        Assert.Equal("idle", ended.Text("status"));
        Assert.Equal(10, ended.At("usage.input_tokens").GetInt32());
        Assert.Equal(30, primary.At("usage.input_tokens").GetInt32());
        Assert.Equal(40, (await team.Session.Get()).At("usage.input_tokens").GetInt32());
        Assert.Equal("agent", ended.Text("agent.type"));
        Assert.DoesNotContain(
            "It is good.", (await team.Session.List("?types=agent.message")).GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Agents_work_at_the_same_time_and_the_session_runs_while_one_does()
    {
        var team = await Team.Start(server, ["a", "b", "c"]);
        team.Session.Model.Answers(
            new ModelToolUse("1", "send_to_agent", JsonElement.Parse(Team.Gives("a", "x"))),
            new ModelToolUse("2", "send_to_agent", JsonElement.Parse(Team.Gives("b", "x"))),
            new ModelToolUse("3", "send_to_agent", JsonElement.Parse(Team.Gives("c", "x"))));
        team.Session.Model.Says("Waiting.").Says("One.").Says("Two.").Says("Three.");
        var gates = new[] { "a", "b", "c" }.ToDictionary(name => name, name =>
            team[name].SaysWhenReleased($"{name} is done"));
        await using var stream = await team.Session.Stream();
        await team.Session.Send(TestSession.Says("go"));

        await Task.WhenAll(gates.Keys.Select(name => team[name].Asked(Cancelled)));
        await stream.Until("session.thread_status_idle");
        Assert.Equal("running", (await team.Session.Get()).Text("status"));
        foreach (var gate in gates.Values)
        {
            gate.SetResult();
        }

        await stream.Until("session.status_idle");
        Assert.Equal("idle", (await team.Session.Get()).Text("status"));
        Assert.All(gates.Keys, name => Assert.Contains(
            $"{name} is done", Team.Told(team.Session.Model), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Three_agents_run_commands_at_the_same_time()
    {
        string[] names = ["a", "b", "c"];
        var team = await Team.Start(server, names, Bash);
        team.Session.Model.Answers([.. names.Select(name => new ModelToolUse(
            name, "send_to_agent", JsonElement.Parse(Team.Gives(name, "x"))))]);
        for (var i = 0; i < 4; i++)
        {
            team.Session.Model.Says("Waiting.");
        }

        foreach (var name in names)
        {
            // None ends before all have begun.
            team[name].Calls("bash", JsonSerializer.Serialize(new
            {
                command = $"touch {name}; until [ -e a -a -e b -a -e c ]; do sleep 0.05; done; sleep 2",
            })).Says("done");
        }

        await team.Session.Run(TestSession.Says("go"));

        var slowest = (await team.Threads()).Where(thread => thread.Text("agent.name") != "tester")
            .Max(thread => thread.At("stats.active_seconds").GetDouble());
        var whole = (await team.Session.Get()).At("usage.active_seconds").GetDouble();
        TestContext.Current.TestOutputHelper!.WriteLine($"{whole} s for all, {slowest} s for the slowest");
        Assert.All(await team.Threads(), thread => Assert.Equal("idle", thread.Text("status")));
        Assert.DoesNotContain("timed out", JsonSerializer.Serialize(await Task.WhenAll((await team.Threads())
            .Select(thread => team.Events(thread.Text("id"))))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_follow_up_goes_to_the_same_thread_which_remembers()
    {
        var team = await Team.Start(server, ["reviewer"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("reviewer", "first")).Says("Waiting.").Says("Got it.");
        await team.Run("go", "reviewer", "one");
        var thread = await team.Thread("reviewer");
        team.Session.Model.Calls("list_agents", "{}").Calls(
            "send_to_agent", Team.Writes(thread.Text("id"), "second")).Says("Waiting.").Says("Done.");

        await team.Run("more", "reviewer", "two");

        Assert.Equal(["user", "assistant", "user"], team["reviewer"].Requests.Last().Messages
            .Select(message => message.Role == ModelRole.User ? "user" : "assistant"));
        Assert.Equal(2, (await team.Threads()).Count);
        var listed = team.Session.Model.Requests.SelectMany(request => request.Messages[^1].Content)
            .OfType<ModelToolResult>().Select(result => ((TextBlock)result.Content[0]).Text)
            .First(text => text.StartsWith("Agents:", StringComparison.Ordinal));
        Assert.Equal($"""
            Agents:
            - reviewer: The reviewer.
            Threads:
            - {thread.Text("id")}: reviewer, idle
            """.ReplaceLineEndings("\n"), listed);
    }

    [Fact]
    public async Task What_a_thread_asks_of_the_client_is_on_the_session_stream_and_answered_there()
    {
        var team = await Team.Start(server, ["worker"], Asking);
        team.Session.Model.Calls("send_to_agent", Team.Gives("worker", "Do it.")).Says("Waiting.").Says("All done.");
        team["worker"].Calls("bash", """{"command":"echo hi"}""").Says("It said hi.");

        var waiting = await team.Session.RunUntilItAsks(TestSession.Says("go"));
        var thread = await team.Thread("worker");
        var asked = (await team.Session.List("?types=agent.tool_use")).EnumerateArray().Single();
        var own = (await team.Events(thread.Text("id"))).EnumerateArray()
            .Single(@event => @event.Text("type") == "agent.tool_use");
        var rest = await team.Session.Run(TestSession.Confirms(waiting.Single(), "allow"));

        Assert.Equal(waiting.Single(), asked.Text("id"));
        Assert.Equal(thread.Text("id"), asked.Text("session_thread_id"));
        Assert.Equal(waiting.Single(), own.Text("id"));
        Assert.False(own.TryGetProperty("session_thread_id", out _));
        Assert.Equal("user.tool_confirmation", rest[0].Name);
        Assert.Equal(thread.Text("id"), rest[0].Json.Text("session_thread_id"));
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
        Assert.Contains("It said hi.", Team.Told(team.Session.Model), StringComparison.Ordinal);
        Assert.DoesNotContain("agent.tool_result", await team.Session.Types());
        Assert.Contains("agent.tool_result", (await team.Events(thread.Text("id"))).Texts("type"));
    }

    [Fact]
    public async Task Threads_share_the_files_and_have_shells_of_their_own()
    {
        var team = await Team.Start(server, ["worker"], Bash);
        team.Session.Model.Calls("bash", """{"command":"cd /tmp && echo shared > /workspace/f"}""")
            .Calls("send_to_agent", Team.Gives("worker", "Read it.")).Says("Waiting.")
            .Calls("bash", """{"command":"pwd"}""").Says("Done.");
        team["worker"].Calls("bash", """{"command":"pwd; cat f"}""");

        await team.Run("go", "worker", "Read.");

        var thread = await team.Thread("worker");
        var child = (await team.Events(thread.Text("id"))).EnumerateArray()
            .Single(@event => @event.Text("type") == "agent.tool_result");
        Assert.Equal("/workspace\nshared", child.Text("content.0.text").Trim());
        var results = (await team.Session.List("?types=agent.tool_result")).EnumerateArray().ToList();
        Assert.Equal("/tmp", results[^1].Text("content.0.text").Trim());
    }

    [Fact]
    public async Task One_thread_is_interrupted_and_the_others_go_on()
    {
        var team = await Team.Start(server, ["slow", "quick"]);
        team.Session.Model.Answers(
            new ModelToolUse("1", "send_to_agent", JsonElement.Parse(Team.Gives("slow", "x"))),
            new ModelToolUse("2", "send_to_agent", JsonElement.Parse(Team.Gives("quick", "x"))));
        team.Session.Model.Says("Waiting.").Says("One is done.");
        team["slow"].SaysAndHangs("hm");
        var gate = team["quick"].SaysWhenReleased("quick is done");
        await using var stream = await team.Session.Stream();
        await team.Session.Send(TestSession.Says("go"));
        await team["quick"].Asked(Cancelled);
        var slow = await team.Working("slow", Cancelled);

        await team.Session.Send(
            $$"""{"type":"user.interrupt","session_thread_id":"{{slow.Text("id")}}"}""");
        var until = await stream.Until("user.interrupt");
        gate.SetResult();
        var rest = await stream.Until("session.status_idle");

        Assert.Equal(slow.Text("id"), until[^1].Json.Text("session_thread_id"));
        var idle = rest.First(@event => @event.Name == "session.thread_status_idle"
            && @event.Json.Text("agent_name") == "slow").Json;
        Assert.Equal("end_turn", idle.Text("stop_reason.type"));
        Assert.DoesNotContain("from the agent slow", Team.Told(team.Session.Model), StringComparison.Ordinal);
        Assert.Contains("quick is done", Team.Told(team.Session.Model), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_of_all_stops_every_thread()
    {
        var team = await Team.Start(server, ["slow"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("slow", "x")).Says("Waiting.");
        team["slow"].SaysAndHangs("hm");
        await using var stream = await team.Session.Stream();
        await team.Session.Send(TestSession.Says("go"));
        await team["slow"].Asked(Cancelled);
        await stream.Until("session.thread_status_idle");

        await team.Session.Send(TestSession.Interrupts);
        await stream.Until("session.status_idle");

        Assert.All(await team.Threads(), thread => Assert.Equal("idle", thread.Text("status")));
        Assert.Equal(2, team.Session.Model.Requests.Count);
    }

    [Fact]
    public async Task An_idle_thread_is_archived_and_a_running_one_is_not()
    {
        var team = await Team.Start(server, ["reviewer"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("reviewer", "x")).Says("Waiting.").Says("Done.");
        var gate = team["reviewer"].SaysWhenReleased("It is good.");
        await team.Session.Send(TestSession.Says("go"));
        var thread = await team.Working("reviewer", Cancelled);
        var path = $"{team.Session.Path}/threads/{thread.Text("id")}";
        (await server.Post($"{path}/archive")).Refused(400,
            $"Thread '{thread.Text("id")}' is running and cannot be archived: interrupt it first.");
        await team.Resting();
        gate.SetResult();
        await team.Session.UntilIdle(Cancelled);

        var archived = (await server.Post($"{path}/archive")).Ok();

        Assert.Equal("terminated", archived.Text("status"));
        Assert.NotEqual("null", archived.At("archived_at").GetRawText());
        Assert.Equal("session.thread_status_terminated", (await team.Session.Types())[^1]);
        Assert.Equal("terminated", (await server.Get(path)).Ok().Text("status"));
        team.Session.Model.Calls("send_to_agent", Team.Writes(thread.Text("id"), "again")).Says("Gone.");
        await team.Session.Run(TestSession.Says("more"));
        var result = (ModelToolResult)team.Session.Model.Requests.Last().Messages[^1].Content.Single();
        Assert.Contains("has ended", ((TextBlock)result.Content[0]).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_26th_thread_is_refused_and_nothing_is_lost()
    {
        var team = await Team.Start(server, ["a"]);
        team.Session.Model.Answers([.. Enumerable.Range(0, 26).Select(i => new ModelToolUse(
            $"call_{i}", "send_to_agent", JsonElement.Parse(Team.Gives("a", $"{i}"))))]);
        for (var i = 0; i < 27; i++)
        {
            team.Session.Model.Says("Waiting.");
            team["a"].Says("ok");
        }

        await team.Session.Run(TestSession.Says("go"));

        Assert.Equal(26, (await team.Threads()).Count);
        var results = team.Session.Model.Requests.ElementAt(1).Messages[^1].Content.OfType<ModelToolResult>().ToList();
        Assert.Equal(26, results.Count);
        Assert.True(results[^1].IsError);
        Assert.StartsWith("25 threads are open", ((TextBlock)results[^1].Content[0]).Text, StringComparison.Ordinal);
        Assert.All(results.SkipLast(1), result => Assert.False(result.IsError));
    }

    [Fact]
    public async Task A_restart_goes_on_with_every_thread_and_nothing_happens_twice()
    {
        await using var own = await server.StartEmpty();
        var team = await Team.Start(own, ["slow"]);
        team.Session.Model.Calls("send_to_agent", Team.Gives("slow", "x")).Says("Waiting.");
        team["slow"].SaysAndHangs("hm");
        await team.Session.Send(TestSession.Says("go"));
        await team["slow"].Asked(Cancelled);
        await using (var stream = await team.Session.Stream("", "0"))
        {
            await stream.Until("session.thread_status_idle");
        }

        team["slow"].Says("slow is done");
        team.Session.Model.Says("All done.");
        await own.Restart();
        await team.Session.UntilIdle(Cancelled);

        Assert.Contains("slow is done", Team.Told(team.Session.Model), StringComparison.Ordinal);
        var types = await team.Session.Types();
        Assert.Single(types, "session.thread_created");
        Assert.Single(types, "agent.thread_message_received");
        Assert.Equal(2, (await team.Threads()).Count);
    }

    [Fact]
    public async Task An_agent_is_made_up_where_that_is_allowed()
    {
        var model = $"maker-{Guid.NewGuid():N}";
        var agentId = await server.NewAgent(model, $$"""
            "tools":{{Bash}},"multiagent":{"type":"multiagent_20261001","workflows":{"type":"disabled"} }
            """);
        var session = await server.NewSessionOf(model, agentId);
        session.Model.Calls("send_to_agent", """
            {"new_agent":{"name":"scout","system":"You look around.","tools":["glob"]},"message":"Look."}
            """);
        session.Model.Says("Waiting.").Says("I see nothing.").Says("Done.");

        await session.Run(TestSession.Says("go"));

        var threads = (await server.Get($"{session.Path}/threads")).Ok().At("data");
        var thread = threads.EnumerateArray().Single(one => one.Text("agent.type") == "inline");
        Assert.Equal("scout", thread.Text("agent.name"));
        Assert.False(thread.At("agent").TryGetProperty("id", out _));
        var asked = session.Model.Requests.Single(request =>
            request.System.StartsWith("You look around.", StringComparison.Ordinal));
        Assert.Equal(["glob"], asked.Tools.Select(tool => tool.Name));
    }
}
