using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

public sealed class SessionTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_named_by_its_id_is_taken_at_its_newest_version()
    {
        var agent = await lab.Agent(lab.Model());
        await Rename(agent, "second");

        var session = await Create(agent.ID);

        Assert.StartsWith("sesn_", session.ID, StringComparison.Ordinal);
        Assert.Equal("idle", session.Status.Raw());
        Assert.Equal((2, "second"), (session.Agent.Version, session.Agent.Name));
    }

    [Fact]
    public async Task A_session_pinned_to_a_version_keeps_it()
    {
        var agent = await lab.Agent(lab.Model());
        await Rename(agent, "second");

        var session = await Create(new BetaManagedAgentsAgentParams { ID = agent.ID, Version = 1 });

        Assert.Equal((1, "lab agent"), (session.Agent.Version, session.Agent.Name));
    }

    [Fact]
    public async Task Overrides_change_the_session_and_not_the_agent()
    {
        var agent = await lab.Agent(lab.Model());
        var model = lab.Model(Reply.Text("ok"));

        var session = await Create(new BetaManagedAgentsAgentWithOverridesParams
        {
            ID = agent.ID,
            Model = new BetaManagedAgentsModelConfigParams { ID = model.Name },
            System = "Overridden.",
        });
        await new LabSession(lab.Client, session.ID).Turn(Events.Message("hi"));

        Assert.Equal("Overridden.", session.Agent.System);
        Assert.Equal(model.Name, session.Agent.Model.ID.Raw());
        var asked = model.Requests.Single().GetProperty("system").ToString();
        Assert.Contains("Overridden.", asked, StringComparison.Ordinal);
        var unchanged = await lab.Client.Beta.Agents.Retrieve(agent.ID, cancellationToken: Cancellation);
        Assert.Equal(agent.ToString(), unchanged.ToString());
    }

    [Fact]
    public async Task Initial_events_start_the_session_at_once()
    {
        var agent = await lab.Agent(lab.Model(Reply.Text("hello")));

        var created = await lab.Client.Beta.Sessions.Create(new SessionCreateParams
        {
            EnvironmentID = lab.EnvironmentId,
            Agent = agent.ID,
            InitialEvents =
            [
                new BetaManagedAgentsUserMessageEventParams
                {
                    Content = [new BetaManagedAgentsTextBlock { Text = "hi" }],
                },
            ],
        }, Cancellation);
        var session = new LabSession(lab.Client, created.ID);
        await using var stream = await session.Open();
        var turn = await stream.ReadTo("session.status_idle");

        Assert.Equal("running", created.Status.Raw());
        Assert.Equal("user.message", turn[0].Type());
        Assert.Equal("hello", turn.The("agent.message").Text());
    }

    [Fact]
    public async Task Sessions_are_listed_in_both_orders_and_paged_in_both_directions()
    {
        var agent = await lab.Agent(lab.Model());
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            made.Add((await Create(agent.ID)).ID);
        }

        var newestFirst = made.AsEnumerable().Reverse().ToList();
        var first = await List(agent, new SessionListParams { Limit = 2 });
        var second = await first.Next(Cancellation);
        var third = await second.Next(Cancellation);
        var back = await List(agent, new SessionListParams { Limit = 2, Page = third.PrevPage });
        var ascending = await List(agent, new SessionListParams { Order = Anthropic.Models.Beta.Sessions.Order.Asc });

        Assert.Equal(newestFirst[..2], Ids(first));
        Assert.Equal(newestFirst[2..4], Ids(second));
        Assert.Equal(newestFirst[4..], Ids(third));
        Assert.Equal(newestFirst[2..4], Ids(back));
        Assert.False(third.HasNext());
        Assert.Null(first.PrevPage);
        Assert.Equal(made, Ids(ascending));
    }

    [Fact]
    public async Task Sessions_are_listed_by_their_status()
    {
        var agent = await lab.Agent(lab.Model());
        var idle = await Create(agent.ID);

        var found = await List(agent, new SessionListParams { Statuses = [Status.Idle, Status.Rescheduling] });
        var none = await List(agent, new SessionListParams { Statuses = [Status.Running] });

        Assert.Equal([idle.ID], Ids(found));
        Assert.Empty(none.Items);
    }

    [Fact]
    public async Task Sessions_are_listed_by_version_by_time_and_with_those_that_are_archived()
    {
        var agent = await lab.Agent(lab.Model());
        var first = await Create(agent.ID);
        await Rename(agent, "second");
        var second = await Create(agent.ID);
        await lab.Client.Beta.Sessions.Archive(first.ID, cancellationToken: Cancellation);

        Assert.Equal([second.ID], Ids(await List(agent, new SessionListParams())));
        Assert.Equal([second.ID, first.ID], Ids(await List(agent, new SessionListParams { IncludeArchived = true })));
        Assert.Equal([second.ID], Ids(await List(agent, new SessionListParams { AgentVersion = 2 })));
        Assert.Equal(
            [second.ID],
            Ids(await List(agent, new SessionListParams { IncludeArchived = true, CreatedAtGt = first.CreatedAt })));
        Assert.Empty(Ids(await List(agent, new SessionListParams { CreatedAtLt = first.CreatedAt })));
    }

    [Fact]
    public async Task A_budget_is_raised_and_removed()
    {
        var agent = await lab.Client.Beta.Agents.Create(
            new AgentCreateParams { Name = "priced", Model = BetaManagedAgentsModel.ClaudeSonnet5 }, Cancellation);
        var session = await lab.Client.Beta.Sessions.Create(new SessionCreateParams
        {
            EnvironmentID = lab.EnvironmentId, Agent = agent.ID, Budget = Cents("100"),
        }, Cancellation);

        var raised = await lab.Client.Beta.Sessions.Update(
            session.ID, new SessionUpdateParams { Budget = Cents("200") }, Cancellation);
        var removed = await lab.Client.Beta.Sessions.Update(
            session.ID, new SessionUpdateParams { Budget = null }, Cancellation);

        Assert.Equal("100", session.Budget!.MaxListCost.Amount);
        Assert.Equal("200", raised.Budget!.MaxListCost.Amount);
        Assert.Null(removed.Budget);

        static BetaManagedAgentsBudgetLimit Cents(string amount) =>
            new() { MaxListCost = new() { Amount = amount, Currency = "USD" } };
    }

    [Fact]
    public async Task An_update_is_seen_in_the_session_and_in_its_history()
    {
        var session = await Create((await lab.Agent(lab.Model())).ID);

        var updated = await lab.Client.Beta.Sessions.Update(
            session.ID, new SessionUpdateParams { Title = "A title" }, Cancellation);
        await lab.Client.Beta.Sessions.Update(session.ID, new SessionUpdateParams { Title = "A title" }, Cancellation);

        Assert.Equal("A title", updated.Title);
        var history = await new LabSession(lab.Client, session.ID).History();
        Assert.Equal("A title", Assert.Single(history).GetProperty("title").GetString());
        Assert.Equal("session.updated", history[0].Type());
    }

    [Fact]
    public async Task Metadata_is_merged_key_by_key()
    {
        var agent = await lab.Agent(lab.Model());
        var session = await lab.Client.Beta.Sessions.Create(new SessionCreateParams
        {
            EnvironmentID = lab.EnvironmentId,
            Agent = agent.ID,
            Metadata = new Dictionary<string, string> { ["kept"] = "1", ["changed"] = "2", ["removed"] = "3" },
        }, Cancellation);

        var updated = await lab.Client.Beta.Sessions.Update(session.ID, new SessionUpdateParams
        {
            Metadata = new Dictionary<string, string?> { ["changed"] = "two", ["removed"] = null, ["added"] = "4" }!,
        }, Cancellation);

        Assert.Equal(
            new Dictionary<string, string> { ["kept"] = "1", ["changed"] = "two", ["added"] = "4" }, updated.Metadata);
    }

    [Fact]
    public async Task Tools_given_to_an_idle_session_are_there_in_the_next_turn()
    {
        var model = lab.Model(Reply.Text("none"), Reply.Text("some"));
        var session = await lab.Session(model);
        await session.Turn(Events.Message("What can you do?"));

        await lab.Client.Beta.Sessions.Update(session.Id, new SessionUpdateParams
        {
            Agent = new BetaManagedAgentsSessionAgentUpdate
            {
                Tools = [new BetaManagedAgentsAgentToolset20260401Params()],
            },
        }, Cancellation);
        await session.Turn(Events.Message("And now?"));

        Assert.False(model.Requests[0].TryGetProperty("tools", out var none) && none.GetArrayLength() > 0);
        var tools = model.Requests[1].GetProperty("tools").EnumerateArray();
        Assert.Contains("bash", tools.Select(tool => tool.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task An_archived_session_is_terminated_and_readable_and_takes_no_events()
    {
        var session = await lab.Session(lab.Model(Reply.Text("hello")));
        var turn = await session.Turn(Events.Message("hi"));

        var archived = await lab.Client.Beta.Sessions.Archive(session.Id, cancellationToken: Cancellation);

        Assert.Equal("terminated", archived.Status.Raw());
        Assert.NotNull(archived.ArchivedAt);
        await Assert.ThrowsAsync<AnthropicConflictException>(() => session.Send(Events.Message("more")));
        var history = await session.History();
        Assert.Equal(turn.Ids(), history.Take(turn.Count).Ids());
        Assert.Equal(
            ["session.thread_status_terminated", "session.status_terminated"], history.Skip(turn.Count).Types());
    }

    [Fact]
    public async Task A_deleted_session_ends_its_streams_and_is_gone()
    {
        var session = await lab.Session(lab.Model());
        await using var stream = await session.Open();

        var deleted = await lab.Client.Beta.Sessions.Delete(session.Id, cancellationToken: Cancellation);

        Assert.Equal(session.Id, deleted.ID);
        Assert.Equal(["session.deleted"], (await stream.ReadTo("session.deleted")).Types());
        Assert.True(await stream.HasEnded());
        await Assert.ThrowsAsync<AnthropicNotFoundException>(session.Get);
    }

    [Fact]
    public async Task A_running_session_is_neither_archived_nor_deleted()
    {
        var session = await lab.Session(lab.Model(Reply.Hang("So")));
        await using var stream = await session.Open(BetaManagedAgentsDeltaType.AgentMessage);
        await session.Send(Events.Message("hi"));
        await stream.ReadTo("event_delta");

        await Assert.ThrowsAsync<AnthropicBadRequestException>(
            () => lab.Client.Beta.Sessions.Archive(session.Id, cancellationToken: Cancellation));
        await Assert.ThrowsAsync<AnthropicBadRequestException>(
            () => lab.Client.Beta.Sessions.Delete(session.Id, cancellationToken: Cancellation));

        await session.Send(Events.Interrupt());
        await stream.ReadTo("session.status_idle");
        await lab.Client.Beta.Sessions.Delete(session.Id, cancellationToken: Cancellation);
    }

    private static IEnumerable<string> Ids(SessionListPage page) => page.Items.Select(session => session.ID);

    private Task<BetaManagedAgentsSession> Create(Anthropic.Models.Beta.Sessions.Agent agent) =>
        lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = lab.EnvironmentId, Agent = agent }, Cancellation);

    private Task<SessionListPage> List(BetaManagedAgentsAgent agent, SessionListParams parameters) =>
        lab.Client.Beta.Sessions.List(parameters with { AgentID = agent.ID }, Cancellation);

    private Task<BetaManagedAgentsAgent> Rename(BetaManagedAgentsAgent agent, string name) =>
        lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = agent.Version, Name = name }, Cancellation);
}
