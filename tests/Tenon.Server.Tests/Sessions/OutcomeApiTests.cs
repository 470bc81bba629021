using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Outcomes as a client defines and follows them (api C.8).</summary>
public sealed class OutcomeApiTests(TestServer server)
{
    private const string Toolset = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_outcome_is_echoed_with_its_id_starts_work_and_shows_in_the_session()
    {
        var session = await server.NewSession();
        session.Model.Says("Here.").Judges("satisfied", "All is there.");

        await using var stream = await session.Stream();
        var echoed = (await session.Send(Outcome(more: ",\"max_iterations\":2"))).At("0");
        var events = await stream.Until("session.status_idle");

        JsonAssert.Equal($$"""
            {"type":"user.define_outcome","id":"{{echoed.Text("id")}}","processed_at":"{{echoed.Text("processed_at")}}",
             "outcome_id":"{{echoed.Text("outcome_id")}}","description":"Write a poem.",
             "rubric":{"type":"text","content":"It rhymes."},"max_iterations":2}
            """, echoed);
        Assert.Matches("^outc_[1-9A-Za-z]{22}$", echoed.Text("outcome_id"));
        JsonAssert.Equal(echoed.GetRawText(), events[0].Json);
        var end = events.Single(@event => @event.Name == "span.outcome_evaluation_end").Json;
        JsonAssert.Equal($$"""
            [{"type":"outcome_evaluation","outcome_id":"{{echoed.Text("outcome_id")}}","description":"Write a poem.",
              "result":"satisfied","explanation":"All is there.","iteration":0,
              "completed_at":"{{end.Text("processed_at")}}"}]
            """, (await session.Get()).At("outcome_evaluations"));
        JsonAssert.Equal("""
            {"input_tokens":10,"output_tokens":2,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}
            """, end.At("usage"));
        Assert.Equal(20, (await session.Get()).At("usage.input_tokens").GetInt32());
    }

    [Fact]
    public async Task A_session_can_begin_with_an_outcome_whose_rubric_is_a_file()
    {
        var file = await Upload("# Rubric\n- It rhymes.\n", "rubric.md", "text/markdown");
        var model = $"scripted-outcome-{Guid.NewGuid():N}";
        server.Models.Of(model).Says("Here.").Judges("satisfied", "Good.");
        var agent = await server.NewAgent(model);

        var session = await server.NewSessionOf(model, agent, $"\"initial_events\":[{Outcome(Rubric(file))}]");
        await session.UntilIdle(Token);

        Assert.Equal("running", session.Created.Text("status"));
        Assert.Equal("running", session.Created.Text("outcome_evaluations.0.result"));
        var defined = (await session.List())[0];
        JsonAssert.Equal("""{"type":"text","content":"# Rubric\n- It rhymes.\n"}""", defined.At("rubric"));
        JsonAssert.Equal("null", defined.At("max_iterations"));
        Assert.Contains("- It rhymes.", OutcomeLab.Text(session.Model.Requests.Last()));
        Assert.Equal("satisfied", (await session.Get()).Text("outcome_evaluations.0.result"));
    }

    [Fact]
    public async Task A_rubric_file_must_be_a_text_in_utf8_of_a_size()
    {
        var session = await server.NewSession();
        var latin = await Upload("caf\u00E9"u8.ToArray()[..^1], "rubric.txt", "text/plain");
        var binary = await Upload([1, 2], "rubric.bin", "application/zip");
        var large = await Upload(new byte[1_200_000], "rubric.md", "text/markdown");
        var wide = await Upload(new string('x', 262_145), "rubric.md", "text/markdown");

        (await session.Post(Outcome(Rubric(latin)))).Refused(
            400, $"events.0.rubric.file_id: file '{latin}' is not a text in UTF-8.");
        (await session.Post(Outcome(Rubric(binary)))).Refused(
            400, $"events.0.rubric.file_id: file '{binary}' has the type application/zip; a rubric is a text,");
        (await session.Post(Outcome(Rubric(large)))).Refused(
            400, "events.0.rubric.file_id: a rubric has at most 262144 characters.");
        (await session.Post(Outcome(Rubric(wide)))).Refused(
            400, "events.0.rubric.file_id: a rubric has at most 262144 characters.");
        (await session.Post(Outcome($$"""{"type":"text","content":"{{new string('x', 262_145)}}"}"""))).Refused(
            400, "events.0.rubric.content: a rubric has at most 262144 characters.");
        Assert.Empty(await session.Types());
    }

    [Fact]
    public async Task One_outcome_is_worked_towards_at_a_time_and_then_the_next()
    {
        var session = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("First.");
        session.Model.Judges("satisfied", "Good.");
        session.Model.Says("Second.").Judges("failed", "It contradicts itself.");
        session.Model.Says("You are welcome.");
        await using var stream = await session.Stream();
        var first = (await session.Send(Outcome())).At("0").Text("outcome_id");

        (await session.Post(Outcome())).Refused(
            400, $"events.0: outcome '{first}' is still worked towards, and there is one at a time");
        gate.SetResult();
        await stream.Until("session.status_idle");
        await session.Run(Outcome());
        await session.Run(TestSession.Says("thanks"));

        var evaluations = (await session.Get()).At("outcome_evaluations").EnumerateArray();
        Assert.Equal(["satisfied", "failed"], evaluations.Select(evaluation => evaluation.Text("result")));
        Assert.Equal(2, (await session.List("?types[]=span.outcome_evaluation_start")).GetArrayLength());
        Assert.Equal(5, session.Model.Requests.Count);
    }

    [Fact]
    public async Task Two_outcomes_in_one_batch_are_refused()
    {
        var session = await server.NewSession();

        (await session.Post(Outcome(), Outcome())).Refused(
            400, "events.1: only one user.define_outcome is allowed at a time.");
        Assert.Empty(await session.Types());
    }

    [Fact]
    public async Task An_interrupt_while_calls_wait_for_the_client_ends_the_outcome()
    {
        var session = await server.NewSession(
            """[{"type":"custom","name":"ask","description":"d","input_schema":{"type":"object"}}]""");
        session.Model.Calls("ask", "{}");
        await session.RunUntilItAsks(Outcome());

        await session.Run(TestSession.Interrupts);

        var end = (await session.List("?types[]=span.outcome_evaluation_end"))[0];
        Assert.Equal(("", "interrupted"), (end.Text("outcome_evaluation_start_id"), end.Text("result")));
        Assert.Equal("interrupted", (await session.Get()).Text("outcome_evaluations.0.result"));
    }

    [Fact]
    public async Task An_interrupt_of_a_session_whose_turn_has_died_ends_the_outcome_and_a_message_with_it_is_answered()
    {
        var session = await server.NewSession();
        session.Model.Fails(ModelFaultKind.Billing).Says("Of course.");
        await session.Run(Outcome());
        Assert.Equal("running", (await session.Get()).Text("outcome_evaluations.0.result"));

        var events = await session.Run(TestSession.Interrupts, TestSession.Says("something else"));

        Assert.Equal("interrupted", events.Single(
            @event => @event.Name == "span.outcome_evaluation_end").Json.Text("result"));
        Assert.Contains(events, @event => @event.Name == "agent.message");
        Assert.Equal(2, session.Model.Requests.Count);
    }

    [Fact]
    public async Task An_outcome_that_comes_while_calls_wait_is_told_with_their_results()
    {
        var session = await server.NewSession(
            """[{"type":"custom","name":"ask","description":"d","input_schema":{"type":"object"}}]""");
        session.Model.Calls("ask", "{}");
        var call = (await session.RunUntilItAsks(TestSession.Says("go")))[0];
        session.Model.Says("Here.").Judges("satisfied", "Good.");

        var echoed = (await session.Send(Outcome())).At("0");
        Assert.Equal(JsonValueKind.String, echoed.At("processed_at").ValueKind);
        Assert.Equal("pending", (await session.Get()).Text("outcome_evaluations.0.result"));
        await session.Run(TestSession.AnswersCall(call, "yes"));

        Assert.Equal("satisfied", (await session.Get()).Text("outcome_evaluations.0.result"));
        Assert.Equal(3, session.Model.Requests.Count);
    }

    [Fact]
    public async Task A_kill_and_an_archive_end_the_outcome()
    {
        var killed = await server.NewSession();
        killed.Model.SaysAndHangs("Well");
        await killed.Send(Outcome());
        var archived = await server.NewSession();
        archived.Model.Fails(ModelFaultKind.Billing);
        await archived.Run(Outcome());

        (await server.Post($"{killed.Path}/kill")).Ok();
        (await server.Post($"{archived.Path}/archive")).Ok();

        foreach (var session in (TestSession[])[killed, archived])
        {
            Assert.Equal("interrupted", (await session.Get()).Text("outcome_evaluations.0.result"));
            Assert.Single((await session.List("?types[]=span.outcome_evaluation_end")).EnumerateArray());
        }
    }

    [Fact]
    public async Task A_fork_goes_on_without_the_evaluation_and_the_outcome()
    {
        var session = await server.NewSession();
        session.Model.Says("Here.").SaysAndHangs("Hm");
        await using var stream = await session.Stream();
        await session.Send(Outcome());
        await stream.Until("span.outcome_evaluation_start");

        var fork = new TestSession(
            server, (await server.Post($"{session.Path}/fork", "{}")).Ok(), session.Model);

        Assert.DoesNotContain("span.outcome_evaluation_start", await fork.Types());
        Assert.Equal(("interrupted", "idle"), (
            (await fork.Get()).Text("outcome_evaluations.0.result"), (await fork.Get()).Text("status")));
        Assert.Equal("evaluating", (await session.Get()).Text("outcome_evaluations.0.result"));
        session.Model.Says("Hello.");
        await fork.Run(TestSession.Says("hi"));
        Assert.DoesNotContain("span.outcome_evaluation_start", await fork.Types());
        await session.Run(TestSession.Interrupts);
    }

    [Fact]
    public async Task The_work_is_evaluated_when_the_other_agents_have_reported()
    {
        var (session, coder) = await Coordinator();
        var gate = coder.SaysWhenReleased("The code is written.");
        session.Model.Calls("send_to_agent", """{"agent":"coder","message":"write it"}""").Says("I wait.")
            .Says("All is done.");
        session.Model.Judges("satisfied", "Good.");
        await using var stream = await session.Stream();
        await session.Send(Outcome());
        await stream.Until("session.thread_status_idle");

        Assert.Empty((await session.List("?types[]=span.outcome_evaluation_start")).EnumerateArray());
        gate.SetResult();
        await stream.Until("session.status_idle");

        Assert.Equal("satisfied", (await session.Get()).Text("outcome_evaluations.0.result"));
        Assert.Contains("All is done.", OutcomeLab.Text(session.Model.Requests.Last()));
        Assert.Single((await session.List("?types[]=session.status_idle")).EnumerateArray());
    }

    [Fact]
    public async Task The_work_is_evaluated_when_the_last_other_agent_was_interrupted()
    {
        var (session, coder) = await Coordinator();
        coder.SaysAndHangs("I begin");
        session.Model.Calls("send_to_agent", """{"agent":"coder","message":"write it"}""").Says("I wait.");
        session.Model.Judges("needs_revision", "Nothing is there.");
        session.Model.Says("Now it is.").Judges("satisfied", "Good.");
        await using var stream = await session.Stream();
        await session.Send(Outcome());
        await stream.Until("session.thread_status_idle");
        var child = (await session.List("?types[]=session.thread_created"))[0].Text("session_thread_id");

        await session.Send($$"""{"type":"user.interrupt","session_thread_id":"{{child}}"}""");
        await stream.Until("session.status_idle");

        Assert.Equal("satisfied", (await session.Get()).Text("outcome_evaluations.0.result"));
        Assert.Single((await session.List("?types[]=session.status_idle")).EnumerateArray());
    }

    [Fact]
    public async Task The_example_with_an_outcome_runs()
    {
        var model = server.Models.Of("scripted-outcome-example");
        model.Calls("bash", """{"command":"echo One line. > /mnt/session/outputs/haiku.txt"}""").Says("Written.")
            .Calls("read", """{"file_path":"/mnt/session/outputs/haiku.txt"}""");
        model.Judges("needs_revision", "It has one line.");
        model.Calls("bash", """{"command":"printf 'a\\nb\\nc\\n' > /mnt/session/outputs/haiku.txt"}""").Says("Mended.");
        model.Judges("satisfied", "It has three lines.");

        var output = await ExampleProgram.Run(server, "outcome.mjs", new() { ["MODEL"] = "scripted-outcome-example" });

        Assert.Equal(
            """
            Written.
            evaluation 0: needs_revision. It has one line.
            Mended.
            evaluation 1: satisfied. It has three lines.
            satisfied
            a
            b
            c
            """, output.Trim());
    }

    private async Task<(TestSession Session, ScriptedModel Coder)> Coordinator()
    {
        var name = $"scripted-outcome-{Guid.NewGuid():N}";
        var coder = (await server.Post(
            "/v1/agents", $$"""{"name":"coder","model":"{{name}}-coder"}""")).Ok().Text("id");
        var lead = await server.NewAgent(name, $$"""
            "multiagent":{"type":"coordinator","agents":[{"type":"agent","id":"{{coder}}"}]}
            """);
        return (await server.NewSessionOf(name, lead), server.Models.Of($"{name}-coder"));
    }

    private Task<string> Upload(string text, string name, string type) =>
        Upload(System.Text.Encoding.UTF8.GetBytes(text), name, type);

    private async Task<string> Upload(byte[] bytes, string name, string type)
    {
        using var form = new MultipartFormDataContent();
        using var part = new ByteArrayContent(bytes);
        part.Headers.ContentType = new(type);
        form.Add(part, "file", name);
        using var response = await server.Client.PostAsync("/v1/files", form, Token);
        return (await Answer.Read(response, Token)).Ok().Text("id");
    }

    private static string Rubric(string fileId) => $$"""{"type":"file","file_id":"{{fileId}}"}""";

    private static string Outcome(string rubric = """{"type":"text","content":"It rhymes."}""", string more = "") =>
        $$"""{"type":"user.define_outcome","description":"Write a poem.","rubric":{{rubric}}{{more}}}""";
}
