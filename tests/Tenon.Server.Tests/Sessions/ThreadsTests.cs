using System.Text.Json;
using System.Text.Json.Nodes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>The primary thread (api A.6, B.4).</summary>
public abstract class ThreadsTests(TestServer server)
{
    [Fact]
    public async Task A_session_has_its_primary_thread_from_the_start()
    {
        var session = await server.NewSession();

        var threads = (await server.Get($"{session.Path}/threads")).Ok();
        var thread = threads.At("data").EnumerateArray().Single();

        Assert.Matches("^sthr_[1-9A-Za-z]{22}$", thread.Text("id"));
        JsonAssert.Equal($$"""
            {"type":"session_thread","id":"{{thread.Text("id")}}","session_id":"{{session.Id}}","parent_thread_id":null,
             "agent":{{AgentOf(session)}},"status":"idle","stats":null,"usage":null,
             "workflow_run_id":null,"created_at":"{{session.Created.Text("created_at")}}",
             "updated_at":"{{session.Created.Text("updated_at")}}","archived_at":null}
            """, thread);
        JsonAssert.Equal("null", threads.At("next_page"));
        JsonAssert.Equal(
            thread.GetRawText(), (await server.Get($"{session.Path}/threads/{thread.Text("id")}")).Ok());
    }

    [Fact]
    public async Task After_a_turn_it_has_statistics_and_usage()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        await session.Run(TestSession.Says("go"));

        var thread = await Primary(session);

        Assert.Equal(10, thread.At("usage.input_tokens").GetInt32());
        Assert.Equal(["active_seconds", "duration_seconds", "startup_seconds"], thread.At("stats").Names().Order());
    }

    [Fact]
    public async Task Threads_are_filtered_by_status()
    {
        var session = await server.NewSession();

        Assert.Single((await server.Get($"{session.Path}/threads?statuses[]=idle")).Ok().At("data").EnumerateArray());
        JsonAssert.Equal("[]", (await server.Get($"{session.Path}/threads?statuses[]=running")).Ok().At("data"));
    }

    [Fact]
    public async Task Its_events_and_its_stream_are_those_of_the_session()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        var path = $"{session.Path}/threads/{(await Primary(session)).Text("id")}";
        await using var stream = await TestStream.Open(server.Client, $"{path}/stream");

        await session.Send(TestSession.Says("go"));
        var streamed = await stream.Until("session.status_idle");

        JsonAssert.Equal((await session.List()).GetRawText(), (await server.Get($"{path}/events")).Ok().At("data"));
        Assert.Equal(await session.Types(), streamed.Select(@event => @event.Name));
        var thread = streamed.Single(@event => @event.Name == "session.thread_status_idle").Json;
        Assert.Equal(path.Split('/')[^1], thread.Text("session_thread_id"));
        Assert.Equal("tester", thread.Text("agent_name"));
    }

    [Fact]
    public async Task Its_stream_shows_previews_to_those_who_ask()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        var id = (await Primary(session)).Text("id");
        await using var stream = await TestStream.Open(
            server.Client, $"{session.Path}/threads/{id}/stream?event_deltas[]=agent.message");

        await session.Send(TestSession.Says("go"));
        var streamed = await stream.Until("session.status_idle");

        Assert.Contains(streamed, @event => @event.Name == "event_delta");
    }

    [Fact]
    public async Task Its_events_are_paged()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        await session.Run(TestSession.Says("go"));
        var path = $"{session.Path}/threads/{(await Primary(session)).Text("id")}/events?limit=5";

        var first = (await server.Get(path)).Ok();
        var second = (await server.Get($"{path}&page={first.Text("next_page")}")).Ok();

        Assert.Equal(await session.Types(), first.At("data").Texts("type").Concat(second.At("data").Texts("type")));
        JsonAssert.Equal("null", second.At("next_page"));
    }

    [Fact]
    public async Task It_is_archived_with_its_session_and_not_alone()
    {
        var session = await server.NewSession();
        session.Model.SaysAndHangs("half");
        var path = $"{session.Path}/threads/{(await Primary(session)).Text("id")}";
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await stream.Until("span.model_request_start");

        var running = await server.Post($"{path}/archive");
        await session.Run(TestSession.Interrupts);
        var idle = await server.Post($"{path}/archive");
        (await server.Post($"{session.Path}/archive")).Ok();
        var archived = (await server.Post($"{path}/archive")).Ok();

        running.Refused(400, $"Thread '{path.Split('/')[^1]}' is running and cannot be archived: interrupt it first.");
        idle.Refused(400, $"Thread '{path.Split('/')[^1]}' is the primary thread, which is archived with its session:");
        Assert.Equal("terminated", archived.Text("status"));
        Assert.Equal((await session.Get()).Text("archived_at"), archived.Text("archived_at"));
    }

    [Fact]
    public async Task A_thread_that_is_not_there_cannot_be_archived()
    {
        var session = await server.NewSession();

        (await server.Post($"{session.Path}/threads/sthr_x/archive")).Refused(404, "Thread 'sthr_x' was not found.");
    }

    [Theory]
    [InlineData("")]
    [InlineData("/events")]
    [InlineData("/stream")]
    public async Task An_unknown_thread_answers_404(string rest)
    {
        var session = await server.NewSession();

        (await server.Get($"{session.Path}/threads/sthr_x{rest}")).Refused(404, "Thread 'sthr_x' was not found.");
    }

    // A thread shows its agent without the roster, which only a session has.
    private static string AgentOf(TestSession session)
    {
        var agent = JsonNode.Parse(session.Created.At("agent").GetRawText())!.AsObject();
        agent.Remove("multiagent");
        return agent.ToJsonString();
    }

    private async Task<JsonElement> Primary(TestSession session) =>
        (await server.Get($"{session.Path}/threads")).Ok().At("data.0");
}
