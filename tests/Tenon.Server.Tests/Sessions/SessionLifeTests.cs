using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Updates, archive and deletion (api A.4, B.3, C.10).</summary>
public abstract class SessionLifeTests(TestServer server)
{
    private const string Toolset = """[{"type":"agent_toolset_20260401"}]""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_update_tells_the_stream_only_what_changed()
    {
        var session = await server.NewSession(fields: "\"title\":\"t\",\"metadata\":{\"a\":\"1\",\"b\":\"1\"}");
        await using var stream = await session.Stream();

        var updated = (await server.Post(session.Path, """{"title":"new","metadata":{"a":"1","b":null}}""")).Ok();
        var told = (await stream.Next())!;

        Assert.Equal("new", updated.Text("title"));
        JsonAssert.Equal("""{"a":"1"}""", updated.At("metadata"));
        JsonAssert.Equal(
            $$"""
            {"type":"session.updated","id":"{{told.EventId}}","processed_at":"{{told.Json.Text("processed_at")}}",
             "title":"new","metadata":{"a":"1"} }
            """,
            told.Json);
        Assert.Equal("session.updated", told.Name);
    }

    [Fact]
    public async Task An_update_without_effect_tells_nothing()
    {
        var session = await server.NewSession(fields: "\"title\":\"t\",\"metadata\":{\"a\":\"1\"}");

        var same = (await server.Post(
            session.Path, """{"title":"t","metadata":{"a":"1","gone":null},"agent":{"tools":[]}}""")).Ok();

        Assert.Equal("t", same.Text("title"));
        Assert.Empty(await session.Types());
    }

    [Fact]
    public async Task An_idle_session_takes_other_tools_and_the_next_turn_has_them()
    {
        var session = await server.NewSession();
        session.Model.Says("done");

        var updated = (await server.Post(session.Path, $$$"""{"agent":{"tools":{{{Toolset}}}}}""")).Ok();
        await session.Run(TestSession.Says("go"));

        Assert.Equal("always_allow", updated.Text("agent.tools.0.default_config.permission_policy.type"));
        Assert.Contains((await session.Model.Asked(Cancelled)).Tools, tool => tool.Name == "bash");
        var told = (await session.List("?types=session.updated")).EnumerateArray().Single();
        JsonAssert.Equal(updated.At("agent").GetRawText(), told.At("agent"));
        JsonAssert.Equal("[]", (await server.Get($"/v1/agents/{session.AgentId}")).Ok().At("tools"));
    }

    [Fact]
    public async Task A_running_session_takes_a_title_but_no_tools_and_is_neither_archived_nor_deleted()
    {
        var session = await server.NewSession();
        session.Model.SaysAndHangs("thinking");
        await session.Send(TestSession.Says("go"));
        await session.Model.Asked(Cancelled);

        (await server.Post(session.Path, $$$"""{"agent":{"tools":{{{Toolset}}}}}""")).Refused(
            400, "agent: can change only while the session is idle.");
        (await server.Post($"{session.Path}/archive")).Refused(
            400, $"Session '{session.Id}' is running and cannot be archived: interrupt it first.");
        (await server.Delete(session.Path)).Refused(
            400, $"Session '{session.Id}' is running and cannot be deleted: interrupt it first.");
        Assert.Equal("busy", (await server.Post(session.Path, """{"title":"busy"}""")).Ok().Text("title"));
        Assert.Equal("running", (await session.Get()).Text("status"));

        await session.Run(TestSession.Interrupts);
    }

    [Theory]
    [InlineData("""{"vault_ids":["vlt_1"]}""", "vault_ids: cannot change after creation.")]
    [InlineData("""{"agent":{"tools":[{"type":"x"}]}}""", "tools.0.type: 'x' is not one of")]
    [InlineData("""{"agent":{"mcp_servers":[null]}}""", "mcp_servers.0: null is not allowed")]
    [InlineData("""{"agent":{"tools":5}}""", "agent.tools: the value has the wrong type")]
    [InlineData("""{"metadata":{"":"v"}}""", "metadata: the key ''")]
    public async Task A_bad_update_is_refused_and_changes_nothing(string body, string message)
    {
        var session = await server.NewSession();

        var answer = await server.Post(session.Path, body);

        answer.Refused(
            400, message, message.StartsWith("metadata", StringComparison.Ordinal) ? "invalid_metadata" : null);
        Assert.Empty(await session.Types());
    }

    [Fact]
    public async Task An_archived_session_is_terminated_readable_and_takes_nothing_more()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        await session.Run(TestSession.Says("go"));
        await using var stream = await session.Stream();

        var archived = (await server.Post($"{session.Path}/archive")).Ok();
        var seen = await stream.Rest();
        var again = (await server.Post($"{session.Path}/archive")).Ok();

        Assert.Equal("terminated", archived.Text("status"));
        Assert.Equal(archived.Text("archived_at"), again.Text("archived_at"));
        Assert.Equal(archived.Text("archived_at"), (await session.Get()).Text("archived_at"));
        Assert.Equal(
            ["session.thread_status_terminated", "session.status_terminated"], seen.Select(@event => @event.Name));
        Assert.Equal(["user.message", "session.status_terminated"],
            (await session.List("?types=user.message&types=session.status_terminated")).Texts("type"));
        var refusal = $"Session '{session.Id}' is archived and takes no more events or changes.";
        (await session.Post(TestSession.Says("more"))).Refused(409, refusal);
        (await server.Post(session.Path, """{"title":"x"}""")).Refused(409, refusal);
    }

    [Fact]
    public async Task The_duration_of_an_archived_session_stands_still()
    {
        var session = await server.NewSession();
        var archived = (await server.Post($"{session.Path}/archive")).Ok();

        var later = await session.Get();

        Assert.Equal(
            archived.At("stats.duration_seconds").GetRawText(), later.At("stats.duration_seconds").GetRawText());
    }

    [Fact]
    public async Task A_deleted_session_tells_its_streams_closes_them_and_is_gone()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        await session.Run(TestSession.Says("go"));
        await using var stream = await session.Stream();

        var deleted = (await server.Delete(session.Path)).Ok();
        var seen = await stream.Rest();

        JsonAssert.Equal($$"""{"id":"{{session.Id}}","type":"session_deleted"}""", deleted);
        Assert.Equal(["session.deleted"], seen.Select(@event => @event.Name));
        var gone = $"Session '{session.Id}' was not found.";
        (await server.Get(session.Path)).Refused(404, gone);
        (await server.Get($"{session.Path}/events")).Refused(404, gone);
        (await session.Post(TestSession.Says("more"))).Refused(404, gone);
        (await server.Delete(session.Path)).Refused(404, gone);
        JsonAssert.Equal(
            "[]", (await server.Get($"/v1/sessions?agent_id={session.AgentId}&include_archived=true")).Ok().At("data"));
    }

    [Fact]
    public async Task An_archived_session_can_be_deleted()
    {
        var session = await server.NewSession();
        await server.Post($"{session.Path}/archive");

        (await server.Delete(session.Path)).Ok();

        (await server.Get(session.Path)).Refused(404, "Session ");
    }

    [Fact]
    public async Task A_stream_of_an_ended_session_sends_what_is_left_and_closes()
    {
        var session = await server.NewSession();
        session.Model.Says("hello");
        var seen = await session.Run(TestSession.Says("hi"));
        (await server.Post(session.Path + "/archive")).Ok();

        await using var behind = await session.Stream(lastEventId: seen[^1].Id);
        await using var beyond = await session.Stream(lastEventId: "1000");
        await using var opened = await session.Stream();

        Assert.Equal(
            ["session.thread_status_terminated", "session.status_terminated"],
            (await behind.Rest()).Select(sent => sent.Name));
        Assert.Empty(await beyond.Rest());
        Assert.Empty(await opened.Rest());
    }

    [Fact]
    public async Task Clearing_a_title_is_told_as_null()
    {
        var session = await server.NewSession(fields: "\"title\":\"old\"");
        (await server.Post(session.Path, """{"title":null}""")).Ok();

        var updated = (await session.List("?types[]=session.updated")).EnumerateArray().Single();

        Assert.Equal(JsonValueKind.Null, updated.At("title").ValueKind);
        Assert.False(updated.Has("metadata"));
    }

    [Fact]
    public async Task An_interrupt_of_a_thread_that_is_not_there_is_refused()
    {
        var session = await server.NewSession();

        (await session.Post("""{"type":"user.interrupt","session_thread_id":"sthr_none"}"""))
            .Refused(400, "events.0.session_thread_id");
    }
}
