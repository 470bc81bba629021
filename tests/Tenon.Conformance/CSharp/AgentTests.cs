using System.Net;
using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Agents.Versions;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

public sealed class AgentTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_is_created_with_every_default_filled_in_and_read_back_the_same()
    {
        var created = await Create("first", new BetaManagedAgentsAgentToolset20260401Params());
        var read = await lab.Client.Beta.Agents.Retrieve(created.ID, cancellationToken: Cancellation);

        Assert.StartsWith("agent_", created.ID, StringComparison.Ordinal);
        Assert.Equal(1, created.Version);
        Assert.Equal("first", created.Name);
        Assert.Null(created.ArchivedAt);
        Assert.Equal("claude-sonnet-5", created.Model.ID.Raw());
        Assert.True(created.Tools.Single().TryPickBetaManagedAgentsAgentToolset20260401(out var toolset));
        Assert.True(toolset!.DefaultConfig.Enabled);
        Assert.Equal(created.ToString(), read.ToString());
    }

    [Fact]
    public async Task An_update_makes_a_version_and_keeps_what_it_leaves_out()
    {
        var agent = await Create("before");

        var updated = await lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = "after" }, Cancellation);

        Assert.Equal(2, updated.Version);
        Assert.Equal("after", updated.Name);
        Assert.Equal("You answer.", updated.System);
        var first = await lab.Client.Beta.Agents.Retrieve(
            agent.ID, new AgentRetrieveParams { Version = 1 }, Cancellation);
        Assert.Equal("before", first.Name);
    }

    [Fact]
    public async Task An_update_from_an_old_version_is_a_conflict_that_the_SDK_sends_once()
    {
        var agent = await Create("contended");
        await lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = "won" }, Cancellation);
        using var counter = new RequestCounter();
        using var client = lab.Server.Client();
        var counted = client.WithOptions(options => options with { HttpClient = counter.Http });

        var conflict = await Assert.ThrowsAsync<AnthropicConflictException>(() => counted.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = "lost" }, Cancellation));

        Assert.Equal(HttpStatusCode.Conflict, conflict.StatusCode);
        Assert.Equal(1, counter.Requests);
    }

    [Fact]
    public async Task Of_many_updates_from_one_version_exactly_one_wins()
    {
        var agent = await Create("raced");

        var updates = Enumerable.Range(0, 8).Select(i => lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = $"winner {i}" }, Cancellation)).ToList();
        var conflicts = 0;
        foreach (var update in updates)
        {
            try
            {
                await update;
            }
            catch (AnthropicConflictException)
            {
                conflicts++;
            }
        }

        Assert.Equal(updates.Count - 1, conflicts);
        var versions = await lab.Client.Beta.Agents.Versions.List(agent.ID, cancellationToken: Cancellation);
        Assert.Equal([2, 1], versions.Items.Select(version => version.Version));
    }

    [Fact]
    public async Task An_update_that_changes_nothing_makes_no_version()
    {
        var agent = await Create("same");

        var updated = await lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = "same" }, Cancellation);

        Assert.Equal(agent.ToString(), updated.ToString());
    }

    [Fact]
    public async Task An_update_that_would_change_nothing_is_still_a_conflict_when_its_version_is_old()
    {
        var agent = await Create("a");
        await lab.Client.Beta.Agents.Update(agent.ID, new AgentUpdateParams { Version = 1, Name = "b" }, Cancellation);

        await Assert.ThrowsAsync<AnthropicConflictException>(() => lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = "b" }, Cancellation));
    }

    [Fact]
    public async Task Agents_are_listed_newest_first_page_by_page()
    {
        var before = await Create("listed 0");
        var made = new List<string> { before.ID };
        for (var i = 1; i < 5; i++)
        {
            made.Add((await Create($"listed {i}")).ID);
        }

        var listed = new List<string>();
        var page = await lab.Client.Beta.Agents.List(
            new AgentListParams { Limit = 2, CreatedAtGte = before.CreatedAt }, Cancellation);
        listed.AddRange(page.Items.Select(agent => agent.ID));
        while (page.HasNext())
        {
            Assert.Equal(2, page.Items.Count);
            page = await page.Next(Cancellation);
            listed.AddRange(page.Items.Select(agent => agent.ID));
        }

        // Other tests make agents too, so only the order of these is known.
        Assert.Equal(made.AsEnumerable().Reverse(), listed.Where(made.Contains));
        Assert.Equal(listed.Count, listed.Distinct().Count());
    }

    [Fact]
    public async Task Every_version_is_kept_and_listed_newest_first()
    {
        var agent = await Create("v1");
        await lab.Client.Beta.Agents.Update(agent.ID, new AgentUpdateParams { Version = 1, Name = "v2" }, Cancellation);
        await lab.Client.Beta.Agents.Update(agent.ID, new AgentUpdateParams { Version = 2, Name = "v3" }, Cancellation);

        var first = await lab.Client.Beta.Agents.Versions.List(
            agent.ID, new VersionListParams { Limit = 2 }, Cancellation);
        var second = await first.Next(Cancellation);

        Assert.Equal(["v3", "v2"], first.Items.Select(version => version.Name));
        Assert.Equal(["v1"], second.Items.Select(version => version.Name));
        Assert.False(second.HasNext());
    }

    [Fact]
    public async Task An_archived_agent_can_be_read_but_not_changed_and_leaves_the_list()
    {
        var agent = await Create("to archive");

        var archived = await lab.Client.Beta.Agents.Archive(agent.ID, cancellationToken: Cancellation);

        Assert.NotNull(archived.ArchivedAt);
        await Assert.ThrowsAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Agents.Update(
            agent.ID, new AgentUpdateParams { Version = 1, Name = "too late" }, Cancellation));
        Assert.DoesNotContain(agent.ID, await Listed(includeArchived: false));
        Assert.Contains(agent.ID, await Listed(includeArchived: true));

        async Task<IEnumerable<string>> Listed(bool includeArchived) => (await lab.Client.Beta.Agents.List(
            new AgentListParams
            {
                CreatedAtGte = agent.CreatedAt, Limit = 100, IncludeArchived = includeArchived,
            }, Cancellation)).Items.Select(listed => listed.ID);
    }

    private Task<BetaManagedAgentsAgent> Create(string name, params AgentTool[] tools) => lab.Client.Beta.Agents.Create(
        new AgentCreateParams
        {
            Name = name,
            Model = BetaManagedAgentsModel.ClaudeSonnet5,
            System = "You answer.",
            Tools = tools,
        }, Cancellation);
}
