using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Tenon's own ways to end a session at once and to start one in a single request.</summary>
public abstract class KillTests(TestServer server)
{
    [Fact]
    public async Task A_kill_ends_a_hanging_answer_and_the_session_for_good()
    {
        var session = await server.NewSession();
        session.Model.SaysAndHangs("half");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("hi"), TestSession.Says("and this waits"));
        await stream.Until("span.model_request_start");

        var killed = (await server.Post(session.Path + "/kill")).Ok();

        Assert.Equal("terminated", killed.Text("status"));
        Assert.Equal(
            ["span.model_request_end", "session.thread_status_terminated", "session.status_terminated"],
            (await stream.Rest()).Select(sent => sent.Name));
        Assert.Single(session.Model.Requests);
        (await session.Post(TestSession.Says("more"))).Refused(409, "");
        Assert.Equal(killed.GetRawText(), (await server.Post(session.Path + "/kill")).Ok().GetRawText());
    }

    [Fact]
    public async Task A_kill_ends_the_command_that_runs()
    {
        var session = await server.NewSession("""[{"type":"agent_toolset_20260401"}]""");
        session.Model.Calls("bash", """{"command":"sleep 600"}""");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("sleep"));
        await stream.Until("agent.tool_use");

        (await server.Post(session.Path + "/kill")).Ok();
        var rest = await stream.Rest();

        Assert.Equal("session.status_terminated", rest[^1].Name);
        Assert.Contains(rest, sent => sent.Name == "agent.tool_result" && sent.Json.At("is_error").GetBoolean());
    }

    [Fact]
    public async Task The_short_form_makes_a_session_in_the_default_environment_and_starts_it()
    {
        var agent = await server.NewAgent("demo");

        var session = (await server.Post("/v1/managed-agents/sessions", new
        {
            agent_id = agent,
            messages = new[] { new { role = "user", content = "hello" } },
        })).Ok();

        Assert.Equal(("running", "env_default"), (session.Text("status"), session.Text("environment_id")));
        (await server.Get("/v1/environments/env_default")).Ok();
    }

    [Fact]
    public async Task The_short_form_names_the_message_that_it_cannot_take()
    {
        var agent = await server.NewAgent("demo");

        (await server.Post("/v1/managed-agents/sessions", new
        {
            agent_id = agent,
            messages = new[] { new { role = "assistant", content = "hello" } },
        })).Refused(400, "messages.0.role");
    }
}
