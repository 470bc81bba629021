using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Interrupts and failures of the model, as clients see them (api C.6, C.7).</summary>
public abstract class InterruptTests(TestServer server)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_interrupt_stops_the_answer_that_is_being_made()
    {
        var session = await server.NewSession();
        session.Model.SaysAndHangs("half an ans");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await session.Model.Asked(Cancelled);

        var echo = await session.Send(TestSession.Interrupts);
        var turn = await stream.Until("session.status_idle");

        JsonAssert.Equal("null", echo.At("0.processed_at"));
        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running", "span.model_request_start",
                "user.interrupt", "span.model_request_end", "user.interrupt", "session.thread_status_idle",
                "session.usage", "session.status_idle",
            ],
            turn.Select(@event => @event.Name));
        Assert.Equal(echo.Text("0.id"), turn[6].EventId);
        Assert.Equal(JsonValueKind.String, turn[6].Json.At("processed_at").ValueKind);
        Assert.Equal(turn[3].EventId, turn[5].Json.Text("model_request_start_id"));
        Assert.Equal("end_turn", turn[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_message_behind_an_interrupt_redirects_the_turn()
    {
        var session = await server.NewSession();
        session.Model.SaysAndHangs("wrong way").Says("right way");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("go"));
        await session.Model.Asked(Cancelled);

        await session.Send(TestSession.Interrupts, TestSession.Says("other way"));
        var turn = await stream.Until("session.status_idle");

        Assert.Equal("right way", turn.Single(@event => @event.Name == "agent.message").Json.Text("content.0.text"));
        Assert.Equal(
            ["go", "other way"],
            session.Model.Requests.Last().Messages.Single().Content.Cast<ModelText>().Select(text => text.Text));
        Assert.Single(turn, @event => @event.Name == "session.status_idle");
    }

    [Fact]
    public async Task An_interrupt_of_an_idle_session_does_nothing()
    {
        var session = await server.NewSession();
        session.Model.Says("done");

        await session.Send(TestSession.Interrupts);
        var turn = await session.Run(TestSession.Says("go"));

        Assert.Equal("end_turn", turn[^1].Json.Text("stop_reason.type"));
        Assert.Single(await session.Types(), type => type == "session.status_running");
    }

    [Fact]
    public async Task An_interrupt_of_a_call_that_waits_is_told_by_one_idle()
    {
        var session = await server.NewSession(
            """[{"type":"custom","name":"ask","description":"d","input_schema":{"type":"object"}}]""");
        session.Model.Calls("ask", "{}");
        await session.RunUntilItAsks(TestSession.Says("go"));

        var ended = await session.Run(TestSession.Interrupts);

        Assert.Contains("session.thread_status_idle", ended.Select(@event => @event.Name));
        Assert.Equal("end_turn", ended[^1].Json.Text("stop_reason.type"));
        Assert.Equal(2, (await session.Types()).Count(type => type == "session.status_idle"));
    }

    [Fact]
    public async Task A_model_that_refuses_the_request_ends_the_turn_with_the_reason()
    {
        var session = await server.NewSession();
        session.Model.Fails(ModelFaultKind.Rejected).Says("again");

        var turn = await session.Run(TestSession.Says("go"));
        var next = await session.Run(TestSession.Says("again"));

        var error = turn.Single(@event => @event.Name == "session.error").Json;
        JsonAssert.Equal(
            """
            {"type":"model_request_failed_error","message":"scripted Rejected","retry_status":{"type":"exhausted"} }
            """,
            error.At("error"));
        Assert.True(turn.Single(@event => @event.Name == "span.model_request_end").Json.At("is_error").GetBoolean());
        Assert.Equal("retries_exhausted", turn[^1].Json.Text("stop_reason.type"));
        Assert.Equal("end_turn", next[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_fault_of_the_server_itself_ends_the_turn_and_the_next_message_starts_anew()
    {
        var session = await server.NewSession();
        session.Model.Throws().Says("again");

        var turn = await session.Run(TestSession.Says("go"));
        var next = await session.Run(TestSession.Says("again"));

        var error = turn.Single(@event => @event.Name == "session.error").Json;
        Assert.Equal(
            ("unknown_error", "exhausted"), (error.Text("error.type"), error.Text("error.retry_status.type")));
        Assert.DoesNotContain("scripted fault", error.Text("error.message"), StringComparison.Ordinal);
        Assert.True(turn.Single(@event => @event.Name == "span.model_request_end").Json.At("is_error").GetBoolean());
        Assert.Equal("retries_exhausted", turn[^1].Json.Text("stop_reason.type"));
        Assert.Equal("end_turn", next[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_refusal_shows_its_details_and_not_what_was_said()
    {
        var session = await server.NewSession();
        session.Model.Answers(new ModelResponse
        {
            Stop = ModelStop.Refusal,
            Refusal = new ModelRefusal("cyber", "no"),
        });

        var turn = await session.Run(TestSession.Says("go"));

        Assert.Equal("refusal", turn[^1].Json.Text("stop_reason.type"));
        JsonAssert.Equal(
            """{"type":"refusal","category":"cyber","explanation":"no"}""", turn[^1].Json.At("stop_details"));
    }
}
