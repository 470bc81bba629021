using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Workflow runs: a plan that an agent wrote, gone on with in the background (api C.9).</summary>
public abstract class WorkflowTests(TestServer server)
{
    private const string Two =
        """
        const found = phase('look', () => waitAll([startAgent('worker', 'a'), startAgent('worker', 'b')]));
        return phase('sum', () => wait(startAgent({name: 'adder', system: 'Add.'}, found.join('+'))));
        """;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_plan_runs_its_agents_in_phases_and_its_end_is_told_to_the_agent()
    {
        var (session, worker) = await Start();
        session.Model.Calls("start_workflow_run", Plan(Two, "look", "sum")).Says("Started.");
        var gates = new[] { worker.SaysWhenReleased("1"), worker.SaysWhenReleased("2") };
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await worker.Asked(Cancelled);
        await worker.Asked(Cancelled);
        var begun = await stream.Until("session.thread_status_idle");
        session.Model.Says("3").Says("The sum is 3.");

        Array.ForEach(gates, gate => gate.SetResult());
        var events = begun.Concat(await stream.Until("session.status_idle")).ToList();

        Assert.Equal(
            ["created", "status_running", "phase_started", "phase_ended", "phase_started", "phase_ended",
                "status_ended"],
            events.Where(@event => @event.Name.StartsWith("workflow_run.", StringComparison.Ordinal))
                .Select(@event => @event.Name["workflow_run.".Length..]));
        var created = events.First(@event => @event.Name == "workflow_run.created").Json;
        Assert.Equal("adding", created.Text("name"));
        Assert.Equal(["look", "sum"], created.At("phases").Texts("name"));
        var phases = events.Where(@event => @event.Name == "workflow_run.phase_started").ToList();
        Assert.Equal(created.At("phases").Texts("id"),
            phases.Select(@event => @event.Json.Text("workflow_run_phase_id")));
        Assert.Equal(phases.Select(@event => @event.EventId),
            events.Where(@event => @event.Name == "workflow_run.phase_ended")
                .Select(@event => @event.Json.Text("phase_started_id")));
        JsonAssert.Equal("""{"type":"completed"}""", events.Last(
            @event => @event.Name == "workflow_run.status_ended").Json.At("result"));
        Assert.Equal(3, events.Count(@event => @event.Name == "session.thread_created"
            && @event.Json.Text("workflow_run_id") == created.Text("workflow_run_id")));
        Assert.Single(events, @event => @event.Name == "session.status_idle");
        Assert.Contains("It returned:]\\n3", Team.Told(session.Model), StringComparison.Ordinal);
        var threads = (await server.Get($"{session.Path}/threads?statuses[]=terminated")).Ok().At("data");
        Assert.Equal(3, threads.GetArrayLength());
        Assert.All(threads.EnumerateArray(), thread => Assert.Equal(
            created.Text("workflow_run_id"), thread.Text("workflow_run_id")));
    }

    [Theory]
    [InlineData("for (;;) {}")]
    [InlineData("const all = []; for (;;) { all.push('x'.repeat(1000000)); }")]
    [InlineData("function f() { return f() + 1; } return f();")]
    [InlineData("return (")]
    [InlineData("throw new Error('no');")]
    [InlineData("return Math.random();")]
    [InlineData("return Date.now();")]
    [InlineData("return wait({id: 7});")]
    [InlineData("return phase('unknown', () => 1);")]
    [InlineData("return wait(startAgent('nobody', 'x'));")]
    [InlineData("return System.IO.File.ReadAllText('/etc/passwd');")]
    public async Task A_program_that_fails_or_never_ends_is_an_error_of_the_run(string program)
    {
        var (session, _) = await Start();
        var started = session.Model.Calls("start_workflow_run", Plan(program)).SaysWhenReleased("Started.");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        var events = (await stream.Until("workflow_run.status_ended")).ToList();
        session.Model.Says("It failed.");
        started.SetResult();

        events.AddRange(await stream.Until("session.status_idle"));

        var error = events.Single(@event => @event.Name == "workflow_run.error").Json;
        Assert.Equal("program_error", error.Text("error.type"));
        JsonAssert.Equal(error.At("error").GetRawText(), events.Single(
            @event => @event.Name == "workflow_run.status_ended").Json.At("result.error"));
        Assert.Equal("end_turn", events[^1].Json.Text("stop_reason.type"));
        Assert.Contains("has failed", Team.Told(session.Model), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_that_fails_is_an_error_that_the_program_can_catch()
    {
        var (session, worker) = await Start();
        var started = session.Model.Calls("start_workflow_run", Plan(
            "try { wait(startAgent('worker', 'x')); } catch (e) { return 'caught ' + e.message; }"))
            .SaysWhenReleased("Started.");
        worker.Fails(ModelFaultKind.Rejected);
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await stream.Until("workflow_run.status_ended");
        session.Model.Says("ok");
        started.SetResult();
        await stream.Until("session.status_idle");

        Assert.Contains("caught scripted Rejected", Team.Told(session.Model), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_agent_stops_a_run_with_all_that_its_agents_do()
    {
        var (session, worker) = await Start();
        session.Model.Calls("start_workflow_run", Plan("return wait(startAgent('worker', 'x'));", "p"))
            .Says("Started.");
        worker.SaysAndHangs("hm");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        var runId = (await stream.Until("workflow_run.created"))[^1].Json.Text("workflow_run_id");
        await worker.Asked(Cancelled);
        await stream.Until("session.thread_status_idle");
        session.Model.Calls("stop_workflow_run", $$"""{"workflow_run_id":"{{runId}}"}""").Says("Stopped.");

        await session.Send(TestSession.Says("stop it"));
        var events = await stream.Until("session.status_idle");

        JsonAssert.Equal("""{"type":"stopped"}""", events.Single(
            @event => @event.Name == "workflow_run.status_ended").Json.At("result"));
        Assert.Contains("session.thread_status_terminated", events.Select(@event => @event.Name));
        Assert.Equal("idle", (await session.Get()).Text("status"));
    }

    [Fact]
    public async Task An_interrupt_of_all_stops_its_runs()
    {
        var (session, worker) = await Start();
        session.Model.Calls("start_workflow_run", Plan("return wait(startAgent('worker', 'x'));")).Says("Started.");
        worker.SaysAndHangs("hm");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await worker.Asked(Cancelled);
        await stream.Until("session.thread_status_idle");

        await session.Send(TestSession.Interrupts);
        var events = await stream.Until("session.status_idle");

        JsonAssert.Equal("""{"type":"stopped"}""", events.Single(
            @event => @event.Name == "workflow_run.status_ended").Json.At("result"));
        Assert.Equal(2, session.Model.Requests.Count);
    }

    [Fact]
    public async Task More_open_runs_than_a_session_can_have_are_refused()
    {
        var (session, worker) = await Start();
        var plan = JsonElement.Parse(Plan("return wait(startAgent('worker', 'x'));"));
        session.Model.Answers([.. Enumerable.Range(0, 11).Select(i =>
            new ModelToolUse($"call_{i}", "start_workflow_run", plan))]).Says("Started.");
        for (var i = 0; i < 10; i++)
        {
            worker.SaysAndHangs("hm");
        }

        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        var error = (await stream.Until("workflow_run.error"))[^1].Json;
        await session.Send(TestSession.Interrupts);
        await stream.Until("session.status_idle");

        Assert.Equal("max_workflow_runs_error", error.Text("error.type"));
        Assert.Equal("null", error.At("workflow_run_id").GetRawText());
    }

    [Fact]
    public async Task A_run_that_takes_too_long_is_ended_with_what_its_agents_do()
    {
        await using var own = await TestServer.Start(services =>
            services.AddSingleton(new Limits { WorkflowTimeMax = TimeSpan.FromMilliseconds(200) }));
        var (session, worker) = await Start("[]", own);
        var started = session.Model.Calls("start_workflow_run", Plan("return wait(startAgent('worker', 'x'));"))
            .SaysWhenReleased("Started.");
        worker.SaysAndHangs("hm");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        var events = await stream.Until("workflow_run.status_ended");
        session.Model.Says("It took too long.");
        started.SetResult();
        await stream.Until("session.status_idle");

        Assert.Equal("timeout_error", events[^1].Json.Text("result.error.type"));
        Assert.Contains("session.thread_status_terminated", events.Select(@event => @event.Name));
        Assert.Contains("It reached its time limit.", Team.Told(session.Model), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_waits_for_the_client_is_idle_and_goes_on_when_it_is_answered()
    {
        var (session, worker) = await Start(
            """[{"type":"custom","name":"ask","description":"d","input_schema":{"type":"object"}}]""");
        session.Model.Calls("start_workflow_run", Plan("return wait(startAgent('worker', 'x'));")).Says("Started.");
        worker.Calls("ask", "{}").Says("answered");
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));
        session.Model.Says("Done.");

        var rest = await session.Run(TestSession.AnswersCall(waiting.Single(), "yes"));

        Assert.Equal(["workflow_run.status_running", "workflow_run.status_idle", "workflow_run.status_running",
            "workflow_run.status_ended"], (await session.Types()).Where(type =>
                type.StartsWith("workflow_run.status", StringComparison.Ordinal)));
        Assert.Contains("answered", Team.Told(session.Model), StringComparison.Ordinal);
        Assert.Equal("end_turn", rest[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task After_a_restart_the_program_goes_on_where_it_was()
    {
        await using var own = await server.StartEmpty();
        var (session, worker) = await Start("[]", own);
        session.Model.Calls("start_workflow_run", Plan(Two, "look", "sum")).Says("Started.");
        var first = worker.SaysWhenReleased("1");
        worker.SaysAndHangs("2");
        await using (var stream = await session.Stream())
        {
            await session.Send(TestSession.Says("go"));
            await worker.Asked(Cancelled);
            await worker.Asked(Cancelled);
            await stream.Until("session.thread_status_idle");
            first.SetResult();
            await stream.Until("session.thread_status_terminated");
        }

        worker.Says("2");
        session.Model.Says("3").Says("The sum is 3.");
        await own.Restart();
        await session.UntilIdle(Cancelled);

        var types = await session.Types();
        Assert.Equal(3, types.Count(type => type == "session.thread_created"));
        Assert.Equal(2, types.Count(type => type == "workflow_run.phase_started"));
        Assert.Single(types, "workflow_run.status_ended");
        Assert.Contains("It returned:]\\n3", Team.Told(session.Model), StringComparison.Ordinal);
    }

    private static string Plan(string program, params string[] phases) => JsonSerializer.Serialize(new
    {
        name = "adding", program, phases = phases.Select(name => new { name }),
    });

    private async Task<(TestSession Session, ScriptedModel Worker)> Start(
        string tools = "[]", TestServer? other = null)
    {
        var home = other ?? server;
        var (model, worker) = ($"planner-{Guid.NewGuid():N}", $"worker-{Guid.NewGuid():N}");
        var member = (await home.Post(
            "/v1/agents", $$"""{"name":"worker","model":"{{worker}}","tools":{{tools}}}""")).Ok().Text("id");
        var agentId = await home.NewAgent(model, $$"""
            "multiagent":{"type":"multiagent_20261001","subagents":{"type":"disabled"},
              "workflows":{"type":"enabled","predefined_agents":["{{member}}"]} }
            """);
        return (await home.NewSessionOf(model, agentId), home.Models.Of(worker));
    }
}
