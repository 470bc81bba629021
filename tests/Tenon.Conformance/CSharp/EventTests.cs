using System.Text.Json;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;
using EventOrder = Anthropic.Models.Beta.Sessions.Events.Order;

namespace Tenon.Conformance.CSharp;

public sealed class EventTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_turn_has_its_events_in_the_documented_order()
    {
        var session = await lab.Session(lab.Model(Reply.Text("Hel", "lo")));

        var turn = await session.Turn(Events.Message("hi"));

        Assert.Equal(
        [
            "user.message", "session.status_running", "session.thread_status_running", "span.model_request_start",
            "agent.message", "span.model_request_end", "session.thread_status_idle", "session.usage",
            "session.status_idle",
        ], turn.Types());
        Assert.Equal("Hello", turn.The("agent.message").Text());
        Assert.Equal("end_turn", turn[^1].StopReason());
        Assert.Equal(turn.Ids(), (await session.History()).Ids());
        Assert.Equal("idle", (await session.Get()).Status.Raw());
    }

    [Fact]
    public async Task A_stream_opened_after_sending_still_sees_the_turn()
    {
        var session = await lab.Session(lab.Model(Reply.Text("hello")));

        var sent = await session.Send(Events.Message("hi"));
        var seen = new List<string?>();
        await foreach (var @event in lab.Client.Beta.Sessions.Events.StreamStreaming(
            session.Id, cancellationToken: Cancellation))
        {
            seen.Add(@event.ID);
            if (@event.TryPickSessionStatusIdleEvent(out _))
            {
                break;
            }
        }

        Assert.Equal(sent.Data!.Single().ID, seen[0]);
        Assert.Equal((await session.History()).Ids(), seen);
    }

    [Fact]
    public async Task A_turn_that_was_streamed_is_not_replayed_to_the_next_stream()
    {
        var session = await lab.Session(lab.Model(Reply.Text("one"), Reply.Text("two")));
        await session.Turn(Events.Message("first"));

        var second = await session.Turn(Events.Message("second"));

        Assert.Equal("second", second[0].Text());
        Assert.Equal("two", second.The("agent.message").Text());
    }

    [Fact]
    public async Task A_second_message_continues_the_conversation()
    {
        var model = lab.Model(Reply.Text("one"), Reply.Text("two"));
        var session = await lab.Session(model);
        await session.Turn(Events.Message("first"));

        await session.Turn(Events.Message("second"));

        var said = model.Requests[1].GetProperty("messages").EnumerateArray()
            .Select(message => (message.GetProperty("role").GetString(), message.Text()));
        Assert.Equal([("user", "first"), ("assistant", "one"), ("user", "second")], said);
    }

    [Fact]
    public async Task A_message_sent_while_the_session_runs_waits_and_then_has_its_turn()
    {
        var session = await lab.Session(lab.Model(Reply.Hang("So"), Reply.Text("after")));
        await using var stream = await session.Open(BetaManagedAgentsDeltaType.AgentMessage);
        await session.Send(Events.Message("first"));
        await stream.ReadTo("event_delta");

        var queued = (await session.Send(Events.Message("second"))).Data!.Single();
        await session.Send(Events.Interrupt());
        var rest = await stream.ReadTo("session.status_idle");

        Assert.Null(queued.ProcessedAt);
        Assert.Equal("after", rest.The("agent.message").Text());
        var stored = Assert.Single(await session.History(), @event => @event.Id() == queued.ID);
        Assert.Equal(JsonValueKind.String, stored.GetProperty("processed_at").ValueKind);
    }

    [Fact]
    public async Task Events_are_listed_in_both_orders_by_type_and_page_by_page()
    {
        var session = await lab.Session(lab.Model(Reply.Text("one"), Reply.Text("two")));
        var all = await session.Turn(Events.Message("first"));
        all.AddRange(await session.Turn(Events.Message("second")));

        var ids = all.Ids();
        Assert.Equal(ids, await Listed(new EventListParams { Order = EventOrder.Asc, Limit = 7 }));
        Assert.Equal(
            ids.AsEnumerable().Reverse(), await Listed(new EventListParams { Order = EventOrder.Desc, Limit = 4 }));
        Assert.Equal(
            all.Where(@event => @event.Type() is "user.message" or "agent.message").Ids(),
            await Listed(new EventListParams
            {
                Types = [BetaManagedAgentsSessionEventType.UserMessage, BetaManagedAgentsSessionEventType.AgentMessage],
                Limit = 3,
            }));

        async Task<List<string?>> Listed(EventListParams parameters)
        {
            var listed = new List<string?>();
            var page = await lab.Client.Beta.Sessions.Events.List(session.Id, parameters, Cancellation);
            listed.AddRange(page.Items.Select(item => item.ID));
            while (page.HasNext())
            {
                Assert.Equal(parameters.Limit, page.Items.Count);
                page = await page.Next(Cancellation);
                listed.AddRange(page.Items.Select(item => item.ID));
            }

            return listed;
        }
    }

    [Fact]
    public async Task Messages_sent_at_the_same_time_are_all_answered_for_and_none_is_doubled()
    {
        const int Count = 20;
        var model = lab.Model([.. Enumerable.Repeat(Reply.Text("noted"), Count)]);
        var session = await lab.Session(model);
        await using var stream = await session.Open();

        var sent = await Task.WhenAll(
            Enumerable.Range(0, Count).Select(i => session.Send(Events.Message($"note {i}."))));
        List<JsonElement> history;
        do
        {
            await stream.ReadTo("session.status_idle");
            history = await session.History();
        }
        while (history[^1].Type() != "session.status_idle");

        var messages = history.FindAll(@event => @event.Type() == "user.message");
        Assert.Equal(sent.Select(answer => answer.Data!.Single().ID).Order(), messages.Ids().Order());
        var said = model.Requests[^1].GetProperty("messages").ToString();
        Assert.All(Enumerable.Range(0, Count), i => Assert.Contains($"note {i}.", said, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("two\nlines\r\nand a tab\t")]
    [InlineData("data: not a frame\n\nevent: session.status_idle")]
    [InlineData("\u00e9 \u4f60\u597d \ud83d\ude80 \u2028 \" \\ </script>")]
    public async Task Any_text_comes_through_unchanged_in_both_directions(string text)
    {
        var model = lab.Model(Reply.Text(text));
        var session = await lab.Session(model);

        var turn = await session.Turn(Events.Message(text));

        Assert.Equal(text, turn[0].Text());
        Assert.Equal(text, turn.The("agent.message").Text());
        Assert.Equal(text, model.Requests.Single().GetProperty("messages")[0].Text());
    }

    [Fact]
    public async Task Usage_adds_up_over_the_turns()
    {
        var session = await lab.Session(lab.Model(
            Reply.Text("one") with { Usage = new ReplyUsage(Input: 100, Output: 7) },
            Reply.Text("two") with { Usage = new ReplyUsage(Input: 20, Output: 3, CacheRead: 50) }));
        await session.Turn(Events.Message("first"));

        var second = await session.Turn(Events.Message("second"));

        var request = second.The("span.model_request_end").GetProperty("model_usage");
        Assert.Equal(20, request.GetProperty("input_tokens").GetInt32());
        var total = second.The("session.usage").GetProperty("usage");
        Assert.Equal(120, total.GetProperty("input_tokens").GetInt32());
        Assert.Equal(10, total.GetProperty("output_tokens").GetInt32());
        var stored = (await session.Get()).Usage;
        Assert.Equal((120, 10, 50), (stored.InputTokens, stored.OutputTokens, stored.CacheReadInputTokens));
    }

    [Fact]
    public async Task A_batch_with_one_bad_event_changes_nothing()
    {
        var model = lab.Model(Reply.Text("never"));
        var session = await lab.Session(model);

        var refused = await Assert.ThrowsAsync<AnthropicBadRequestException>(
            () => session.Send(Events.Message("good"), Events.Allow("sevt_unknown")));

        Assert.Contains("events.1.tool_use_id", refused.ApiMessage, StringComparison.Ordinal);
        Assert.Empty(await session.History());
        Assert.Empty(model.Requests);
        Assert.Equal("idle", (await session.Get()).Status.Raw());
    }

    [Fact]
    public async Task A_model_that_refuses_for_good_leaves_an_error_and_an_idle_session()
    {
        var session = await lab.Session(lab.Model(
            Reply.Error(400, "invalid_request_error", "no such model"), Reply.Text("better")));

        var failed = await session.Turn(Events.Message("hi"));
        var next = await session.Turn(Events.Message("again"));

        Assert.Equal("retries_exhausted", failed[^1].StopReason());
        var error = failed.The("session.error").GetProperty("error");
        Assert.Equal("exhausted", error.GetProperty("retry_status").GetProperty("type").GetString());
        Assert.Equal("better", next.The("agent.message").Text());
    }

    [Fact]
    public async Task A_model_that_is_overloaded_is_asked_again()
    {
        var session = await lab.Session(lab.Model(
            Reply.Error(529, "overloaded_error").WithHeader("retry-after", "0"), Reply.Text("at last")));

        var turn = await session.Turn(Events.Message("hi"));

        Assert.Equal("end_turn", turn[^1].StopReason());
        Assert.Equal("at last", turn.The("agent.message").Text());
    }
}
