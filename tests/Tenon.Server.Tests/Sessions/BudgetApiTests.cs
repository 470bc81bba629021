using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>Budgets over the wire: creation, pause, raise, removal and every refusal (api B.3, G).</summary>
public abstract class BudgetApiTests(TestServer server)
{
    private const string Ask =
        """[{"type":"custom","name":"ask","description":"d","input_schema":{"type":"object"}}]""";

    private const string Accepted =
        "user.tool_confirmation, user.tool_result, user.custom_tool_result and user.interrupt.";

    private static int _names;

    [Fact]
    public async Task A_budget_is_echoed_by_the_session_and_by_its_usage()
    {
        var session = await NewSession("125");
        session.Model.Says("done");

        var seen = await session.Run(TestSession.Says("go"));

        JsonAssert.Equal(Limit("125"), session.Created.At("budget"));
        JsonAssert.Equal(Limit("125"), (await session.Get()).At("budget"));
        JsonAssert.Equal(Limit("125"), seen.Single(sent => sent.Name == "session.usage").Json.At("budget"));
        Assert.Equal("end_turn", seen[^1].Json.Text("stop_reason.type"));
    }

    [Theory]
    [InlineData("""{"max_list_cost":{"amount":"1","currency":"USD"}}""", "budget.type: field required")]
    [InlineData("""{"type":"limit"}""", "budget.max_list_cost: field required")]
    [InlineData("""{"type":"limit","max_list_cost":null}""", "budget.max_list_cost: null is not allowed")]
    [InlineData("""{"type":"soft","max_list_cost":{"amount":"1","currency":"USD"}}""", "budget.type: 'soft'")]
    [InlineData("""{"type":"limit","max_list_cost":{"amount":"1"}}""", "budget.max_list_cost.currency: field required")]
    [InlineData(
        """{"type":"limit","max_list_cost":{"currency":"USD"}}""", "budget.max_list_cost.amount: field required")]
    [InlineData(
        """{"type":"limit","max_list_cost":{"amount":"1","currency":"EUR"}}""", "budget.max_list_cost.currency: 'EUR'")]
    [InlineData(
        """{"type":"limit","max_list_cost":{"amount":"1","currency":"usd"}}""", "budget.max_list_cost.currency: 'usd'")]
    [InlineData(
        """{"type":"limit","max_list_cost":{"amount":125,"currency":"USD"}}""",
        "budget.max_list_cost.amount: the value has the wrong type")]
    public async Task A_budget_of_another_shape_is_refused_with_the_field(string budget, string message)
    {
        var agentId = await server.NewAgent("claude-opus-5");

        (await Create(agentId, budget)).Refused(400, message);
        JsonAssert.Equal("[]", (await server.Get($"/v1/sessions?agent_id={agentId}")).Ok().At("data"));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-5")]
    [InlineData("+5")]
    [InlineData("0125")]
    [InlineData("25.00")]
    [InlineData("1e3")]
    [InlineData(" 1")]
    [InlineData("1\\n")]
    [InlineData("")]
    [InlineData("9999999999999999")]
    public async Task An_amount_is_whole_cents_above_zero(string amount)
    {
        var session = await NewSession("100");

        (await Create(session.AgentId, Limit(amount))).Refused(400, "budget.max_list_cost.amount: '");
        (await Update(session, Limit(amount))).Refused(400, "budget.max_list_cost.amount: '");
        JsonAssert.Equal(Limit("100"), (await session.Get()).At("budget"));
    }

    [Fact]
    public async Task A_model_without_a_price_takes_no_budget() =>
        (await Create(await server.NewAgent("own-model"), Limit("100"))).Refused(
            400, "budget: model_not_budgetable: no list price is available for model 'own-model'.");

    [Fact]
    public async Task A_budget_is_only_set_at_creation_and_its_removal_is_for_good()
    {
        var without = await NewSession(null);
        var with = await NewSession("100");

        (await Update(without, Limit("100"))).Refused(400, "budget: budget_create_only: ");
        (await Update(without, "null")).Ok();
        Assert.Equal(JsonValueKind.Null, (await Update(with, "null")).Ok().At("budget").ValueKind);
        (await Update(with, Limit("100"))).Refused(400, "budget: budget_create_only: ");

        Assert.Empty(await without.Types());
        var told = (await with.List()).EnumerateArray().Single();
        Assert.Equal(["type", "id", "budget", "processed_at"], told.Names());
        Assert.Equal(JsonValueKind.Null, told.At("budget").ValueKind);
    }

    [Fact]
    public async Task A_budget_may_fall_but_not_to_what_is_spent()
    {
        var session = await NewSession("100");
        session.Model.Answers(Costs(10_000, new ModelText("done")));
        await session.Run(TestSession.Says("go"));

        (await Update(session, Limit("25"))).Refused(
            400, "budget.max_list_cost: budget_not_raised: budget.max_list_cost must be greater than");
        JsonAssert.Equal(Limit("26"), (await Update(session, Limit("26"))).Ok().At("budget"));
        (await Update(session, Limit("26"))).Ok();

        var told = (await session.List("?types[]=session.updated")).EnumerateArray().Single();
        JsonAssert.Equal(Limit("26"), told.At("budget"));
        Assert.False(told.Has("title"));
        Assert.Equal("25", (await session.Get()).Text("usage.list_cost.amount"));
    }

    [Fact]
    public async Task A_session_at_its_budget_takes_only_what_settles_its_work_and_ignores_an_interrupt()
    {
        var session = await Paused();
        var before = await session.Types();

        (await session.Post(TestSession.Says("more"))).Refused(400, "events.0.type: 'user.message' would start");
        var refused = await session.Post(TestSession.Interrupts, TestSession.Says("more"));
        refused.Refused(400, "events.1.type: 'user.message' would start");
        (await session.Post(TestSession.AnswersCall("sevt_none", "x"))).Refused(
            400, "events.0.custom_tool_use_id: no call");
        var interrupted = await session.Send(TestSession.Interrupts);

        Assert.EndsWith(Accepted, refused.Json.Text("error.message"), StringComparison.Ordinal);
        JsonAssert.Equal("[]", interrupted);
        Assert.Equal(before, await session.Types());
        Assert.Equal("idle", (await session.Get()).Text("status"));
    }

    [Fact]
    public async Task Raising_the_budget_goes_on_with_what_was_waiting()
    {
        var session = await Paused();
        session.Model.Says("done");
        await using var stream = await session.Stream();

        (await Update(session, Limit("500"))).Ok();
        var seen = await stream.Until("session.status_idle");

        Assert.Equal(
            ["session.updated", "session.status_running", "session.thread_status_running", "span.model_request_start"],
            seen.Take(4).Select(sent => sent.Name));
        JsonAssert.Equal(Limit("500"), seen[0].Json.At("budget"));
        Assert.Equal("end_turn", seen[^1].Json.Text("stop_reason.type"));
        Assert.IsType<ModelToolResult>(session.Model.Requests.Last().Messages[^1].Content.Single());
    }

    [Fact]
    public async Task Removing_the_budget_goes_on_without_one()
    {
        var session = await Paused();
        session.Model.Answers(Costs(100_000, new ModelText("dear"))).Says("and more");
        await using var stream = await session.Stream();

        (await Update(session, "null")).Ok();
        var seen = await stream.Until("session.status_idle");
        var more = await session.Run(TestSession.Says("more"));

        Assert.Equal(JsonValueKind.Null, seen[0].Json.At("budget").ValueKind);
        Assert.Equal("end_turn", seen[^1].Json.Text("stop_reason.type"));
        Assert.Equal("end_turn", more[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task Raising_the_budget_of_a_session_that_had_ended_its_turn_starts_nothing()
    {
        var session = await NewSession("25");
        session.Model.Answers(Costs(10_000, new ModelText("done"))).Says("again");
        var seen = await session.Run(TestSession.Says("go"));

        Assert.Equal("end_turn", seen[^3].Json.Text("stop_reason.type"));
        Assert.Equal("budget_reached", seen[^1].Json.Text("stop_reason.type"));
        Assert.Equal("idle", (await Update(session, Limit("100"))).Ok().Text("status"));
        Assert.Equal("session.updated", (await session.Types())[^1]);
        Assert.Equal("end_turn", (await session.Run(TestSession.Says("more")))[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_call_that_asks_at_the_budget_is_answered_and_the_session_then_pauses()
    {
        var session = await NewSession("25");
        session.Model.Answers(Costs(10_000, new ModelToolUse("call_1", "ask", JsonElement.Parse("{}"))));
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));

        (await session.Post(TestSession.Says("more"))).Refused(400, "events.0.type: 'user.message' would start");
        var rest = await session.Run(TestSession.AnswersCall(waiting.Single(), "yes"));

        Assert.Equal(
            ["session.thread_status_idle", "session.usage", "session.status_idle"],
            rest.TakeLast(3).Select(sent => sent.Name));
        Assert.Equal("budget_reached", rest[^1].Json.Text("stop_reason.type"));
        Assert.Equal("budget_reached", rest[^3].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task An_interrupt_of_a_call_that_asks_at_the_budget_closes_the_call()
    {
        var session = await NewSession("25");
        session.Model.Answers(Costs(10_000, new ModelToolUse("call_1", "ask", JsonElement.Parse("{}"))));
        await session.RunUntilItAsks(TestSession.Says("go"));

        var rest = await session.Run(TestSession.Interrupts);

        Assert.Contains("user.interrupt", rest.Select(sent => sent.Name));
        Assert.Equal("end_turn", rest[^3].Json.Text("stop_reason.type"));
        Assert.Equal("budget_reached", rest[^1].Json.Text("stop_reason.type"));
    }

    [Fact]
    public async Task A_paused_session_stays_so_over_a_restart_and_goes_on_after_it()
    {
        await using var own = await server.StartEmpty();
        var session = await Paused(own);
        await own.Restart();

        JsonAssert.Equal(Limit("25"), (await session.Get()).At("budget"));
        (await session.Post(TestSession.Says("more"))).Refused(400, "events.0.type: 'user.message' would start");
        (await Update(session, Limit("25"))).Refused(400, "budget.max_list_cost: budget_not_raised: ");
        session.Model.Says("done");
        await using var stream = await session.Stream();
        (await Update(session, Limit("300"))).Ok();
        var seen = await stream.Until("session.status_idle");
        await own.Restart();

        Assert.Equal("end_turn", seen[^1].Json.Text("stop_reason.type"));
        JsonAssert.Equal(Limit("300"), (await session.Get()).At("budget"));
    }

    private static string Limit(string cents) =>
        $$$"""{"type":"limit","max_list_cost":{"amount":"{{{cents}}}","currency":"USD"}}""";

    /// <summary>An answer that costs 25 US dollars a million of these tokens.</summary>
    private static ModelResponse Costs(long output, ModelContent content) => new()
    {
        Stop = content is ModelToolUse ? ModelStop.ToolUse : ModelStop.EndTurn,
        Content = [content],
        Usage = new ModelUsage { OutputTokens = output },
    };

    private static Task<Answer> Update(TestSession session, string budget) =>
        session.Server.Post(session.Path, $$"""{"budget":{{budget}}}""");

    private async Task<Answer> Create(string agentId, string budget) => await server.Post(
        "/v1/sessions",
        $$"""{"agent":"{{agentId}}","environment_id":"{{await server.NewEnvironment()}}","budget":{{budget}}}""");

    /// <summary>A session that stands still at 25 cents, with a result that the model has not seen.</summary>
    private async Task<TestSession> Paused(TestServer? own = null)
    {
        var session = await NewSession("25", own);
        session.Model.Answers(Costs(10_000, new ModelToolUse("call_1", "ask", JsonElement.Parse("{}"))));
        var waiting = await session.RunUntilItAsks(TestSession.Says("go"));
        var rest = await session.Run(TestSession.AnswersCall(waiting.Single(), "yes"));
        Assert.Equal("budget_reached", rest[^1].Json.Text("stop_reason.type"));
        return session;
    }

    private async Task<TestSession> NewSession(string? cents, TestServer? own = null)
    {
        var model = $"claude-opus-5-budget-{Interlocked.Increment(ref _names)}";
        var where = own ?? server;
        var agentId = await where.NewAgent(model, $"\"tools\":{Ask}");
        return await where.NewSessionOf(model, agentId, cents is null ? "" : $"\"budget\":{Limit(cents)}");
    }
}
