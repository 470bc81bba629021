using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Sending and listing events (api A.5, C).</summary>
public abstract class EventsApiTests(TestServer server)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_turn_has_the_documented_order_on_the_stream_and_in_the_history()
    {
        var session = await server.NewSession();
        session.Model.Answers(new ModelThinking("hm", "signed"), new ModelText("hello"));

        var turn = await session.Run(TestSession.Says("hi"));

        Assert.Equal(
            [
                "user.message", "session.status_running", "session.thread_status_running", "span.model_request_start",
                "agent.thinking", "agent.message", "span.model_request_end", "session.thread_status_idle",
                "session.usage", "session.status_idle",
            ],
            turn.Select(@event => @event.Name));
        Assert.All(turn, @event => Assert.Equal(@event.Name, @event.Json.Text("type")));
        Assert.All(turn, @event => Assert.Equal(["type", "id"], @event.Json.Names().Take(2)));
        Assert.All(turn, @event => Assert.Equal(JsonValueKind.String, @event.Json.At("processed_at").ValueKind));
        JsonAssert.Equal(
            $"[{string.Join(',', turn.Select(@event => @event.Json.GetRawText()))}]", await session.List());
        Assert.DoesNotContain("signed", (await session.List()).GetRawText(), StringComparison.Ordinal);
        var usage = (await session.Get()).At("usage");
        Assert.Equal((10, 2), (usage.At("input_tokens").GetInt32(), usage.At("output_tokens").GetInt32()));
    }

    [Fact]
    public async Task Accepted_events_are_echoed_in_order_with_their_ids_and_unknown_fields()
    {
        var session = await server.NewSession();
        session.Model.Says("done");
        await using var stream = await session.Stream();

        var echo = await session.Send(
            """{"type":"user.interrupt"}""",
            """
            {"type":"user.message","id":"mine","processed_at":"2020-01-01T00:00:00Z","note":7,
             "content":[{"type":"text","text":"a"}]}
            """,
            """{"type":"system.message","content":[{"type":"text","text":"b"}]}""");
        var turn = await stream.Until("session.status_idle");

        Assert.Equal(["user.interrupt", "user.message", "system.message"], echo.Texts("type"));
        Assert.All(echo.Texts("id"), id => Assert.Matches("^sevt_[1-9A-Za-z]{22}$", id));
        Assert.Equal(7, echo.At("1.note").GetInt32());
        JsonAssert.Equal(
            echo.GetRawText(),
            JsonElement.Parse($"[{string.Join(',', turn.Take(3).Select(@event => @event.Json.GetRawText()))}]"));
    }

    [Theory]
    [InlineData("""{"type":"user.message","content":[]}""", "events.1.content: must not be empty.")]
    [InlineData(
        """{"type":"user.message","content":[{"type":"redacted"}]}""", "events.1.content.0.type: 'redacted' is not")]
    [InlineData(
        """{"type":"user.message","content":[{"type":"hologram"}]}""", "events.1.content.0.type: 'hologram' is not")]
    [InlineData(
        """{"type":"user.message","content":[{"type":"image","source":{"type":"base64","data":"AA=="}}]}""",
        "events.1.content.0.source.media_type: field required")]
    [InlineData(
        """{"type":"user.message","content":[{"type":"image","source":{"type":"text","data":"x"}}]}""",
        "events.1.content.0.source.type: 'text' is not a kind of source.")]
    [InlineData(
        """{"type":"user.message","content":[{"type":"image","source":{"type":"url"}}]}""",
        "events.1.content.0.source.url: field required")]
    [InlineData(
        """{"type":"user.message","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}""",
        "events.1.content.0.source.file_id: file 'file_1' was not found.")]
    [InlineData("""{"type":"agent.message","content":[]}""",
        "events.1.type: 'agent.message' is not an event that clients send.")]
    [InlineData("""{"type":"user.wave"}""", "events.1.type: 'user.wave' is not an event that clients send.")]
    [InlineData("""{"type":"user.tool_result","tool_use_id":"sevt_1"}""", "events.1: user.tool_result is only for")]
    [InlineData(
        """{"type":"user.define_outcome","description":"d","rubric":{}}""", "events.1.rubric.type: field required")]
    [InlineData(
        """{"type":"user.tool_confirmation","tool_use_id":"sevt_1","result":"allow"}""",
        "events.1.tool_use_id: no call 'sevt_1' waits for this answer")]
    [InlineData(
        """{"type":"user.tool_confirmation","tool_use_id":"sevt_1","result":"maybe"}""",
        "events.1.result: 'maybe' is neither allow nor deny.")]
    [InlineData(
        """{"type":"user.tool_confirmation","tool_use_id":"sevt_1","result":"allow","deny_message":"x"}""",
        "events.1.deny_message: goes only with deny.")]
    [InlineData(
        """{"type":"user.custom_tool_result","custom_tool_use_id":"sevt_1"}""",
        "events.1.custom_tool_use_id: no call 'sevt_1' waits for this answer")]
    [InlineData("""{"type":"system.message","content":[{"type":"image","source":{"type":"url"}}]}""",
        "events.1.content: must be 1 to 1000 text blocks.")]
    public async Task One_bad_event_refuses_the_whole_batch(string bad, string message)
    {
        var session = await server.NewSession();

        (await session.Post(TestSession.Says("good"), bad)).Refused(400, message);

        Assert.Empty(await session.Types());
        Assert.Equal("idle", (await session.Get()).Text("status"));
    }

    [Fact]
    public async Task A_system_message_stands_last_and_behind_a_message_or_a_result()
    {
        const string System = """{"type":"system.message","content":[{"type":"text","text":"s"}]}""";
        const string Rule =
            "a system.message must be the last event and directly follow a user.message or a tool result.";
        var session = await server.NewSession();

        (await session.Post(System)).Refused(400, $"events.0: {Rule}");
        (await session.Post(TestSession.Says("a"), System, TestSession.Says("b"))).Refused(400, $"events.1: {Rule}");
        (await session.Post(TestSession.Interrupts, System)).Refused(400, $"events.1: {Rule}");
        (await server.Post($"{session.Path}/events", """{"events":[]}""")).Refused(400, "events: must not be empty.");
    }

    [Fact]
    public async Task The_history_is_listed_in_either_order_by_type_by_time_and_in_pages()
    {
        var session = await server.NewSession();
        session.Model.Says("one").Says("two");
        await session.Run(TestSession.Says("first"));
        await session.Run(TestSession.Says("second"));
        var all = (await session.List()).Texts("id");
        var second = (await session.List("?types=user.message")).EnumerateArray().Last();
        var at = second.Text("processed_at");
        var from = all.ToList().IndexOf(second.Text("id"));

        Assert.Equal(all.Reverse(), (await session.List("?order=desc")).Texts("id"));
        Assert.Equal(all.Skip(from), (await session.List($"?created_at[gte]={at}")).Texts("id"));
        Assert.Equal(all.Take(from), (await session.List($"?created_at[lt]={at}")).Texts("id"));
        Assert.Equal(["agent.message", "agent.message"], (await session.List("?types[]=agent.message")).Texts("type"));
        Assert.Empty((await session.List("?types[]=no.such")).Texts("type"));
        Assert.Equal(all, await Walk($"{session.Path}/events?limit=3"));
        Assert.Equal(all.Reverse(), await Walk($"{session.Path}/events?limit=4&order=desc"));
        (await server.Get($"{session.Path}/events?limit=1001"))
            .Refused(400, "limit: '1001' is not a number from 1 to 1000.");
    }

    [Fact]
    public async Task A_message_that_waits_is_streamed_twice_under_one_id_and_listed_once()
    {
        var session = await server.NewSession();
        var gate = session.Model.SaysWhenReleased("first answer");
        session.Model.Says("second answer");
        await using var stream = await session.Stream();
        await session.Send(TestSession.Says("first"));
        await session.Model.Asked(Cancelled);

        var echo = await session.Send(TestSession.Says("second"));
        var id = echo.Text("0.id");
        var listedWhileWaiting = (await session.List("?types=user.message")).EnumerateArray().Last();
        gate.SetResult();
        var turn = await stream.Until("session.status_idle");

        JsonAssert.Equal("null", echo.At("0.processed_at"));
        JsonAssert.Equal(echo.At("0").GetRawText(), listedWhileWaiting);
        var copies = turn.Where(@event => @event.Json.Has("id") && @event.EventId == id).ToList();
        Assert.Equal(
            [JsonValueKind.Null, JsonValueKind.String],
            copies.Select(@event => @event.Json.At("processed_at").ValueKind));
        var listed = (await session.List()).EnumerateArray().Single(@event => @event.Text("id") == id);
        JsonAssert.Equal(copies[1].Json.GetRawText(), listed);
        Assert.Equal(
            ["user.message", "agent.message", "user.message", "agent.message"],
            (await session.List("?types=user.message&types=agent.message")).Texts("type"));
        Assert.Single(turn, @event => @event.Name == "session.status_running");
        Assert.Equal(
            "second", Assert.IsType<ModelText>((await session.Model.Asked(Cancelled)).Messages[^1].Content[0]).Text);
    }

    [Fact]
    public async Task Messages_sent_at_once_all_take_effect_in_the_order_of_their_history()
    {
        var session = await server.NewSession();
        for (var i = 0; i < 10; i++)
        {
            session.Model.Says($"answer {i}");
        }

        await using var stream = await session.Stream();
        var echoes = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => session.Send(TestSession.Says($"m{i}"))));
        var open = echoes.Select(echo => echo.Text("0.id")).ToHashSet();
        while (open.Count > 0)
        {
            var next = (await stream.Next())!;
            if (next.Name == "user.message" && next.Json.At("processed_at").ValueKind == JsonValueKind.String)
            {
                Assert.True(open.Remove(next.EventId));
            }
        }

        await stream.Until("session.status_idle");
        var listed = (await session.List("?types=user.message")).EnumerateArray().ToList();
        Assert.Equal(10, listed.Count);
        Assert.All(listed, message => Assert.Equal(JsonValueKind.String, message.At("processed_at").ValueKind));
        Assert.Equal(
            listed.Select(message => message.Text("content.0.text")),
            session.Model.Requests.Last().Messages.Where(message => message.Role == ModelRole.User)
                .SelectMany(message => message.Content).OfType<ModelText>().Select(text => text.Text));
    }

    [Fact]
    public async Task What_was_sent_and_said_survives_a_restart_of_the_server()
    {
        await using var own = await server.StartEmpty();
        var session = await own.NewSession();
        session.Model.Says("one").Says("two");
        await session.Run(TestSession.Says("first"));
        var before = await session.List();

        await own.Restart();
        var after = await session.List();
        await session.Run(TestSession.Says("second"));

        JsonAssert.Equal(before.GetRawText(), after);
        Assert.Equal(3, session.Model.Requests.Last().Messages.Count);
    }

    private async Task<List<string>> Walk(string path)
    {
        var ids = new List<string>();
        var page = (await server.Get(path)).Ok();
        while (true)
        {
            ids.AddRange(page.At("data").Texts("id"));
            if (page.At("next_page").GetString() is not { } cursor)
            {
                return ids;
            }

            page = (await server.Get($"{path}&page={cursor}")).Ok();
        }
    }
}
