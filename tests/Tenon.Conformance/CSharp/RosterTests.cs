using System.Text.Json;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Whom an agent may call upon, in both forms, in the SDK's types (api B.2).</summary>
public sealed class RosterTests(Lab lab)
{
    private const string Advising = "claude-that-advises";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_coordinator_is_created_read_and_changed()
    {
        var member = await lab.Agent("member", lab.Model());

        var created = await Coordinator(member.ID);
        var renamed = await lab.Client.Beta.Agents.Update(
            created.ID, new AgentUpdateParams { Version = 1, Name = "leader" }, Cancellation);
        var read = await lab.Client.Beta.Agents.Retrieve(created.ID, cancellationToken: Cancellation);
        var changed = await lab.Client.Beta.Agents.Update(
            created.ID,
            new AgentUpdateParams
            {
                Version = 2,
                Multiagent = new BetaManagedAgentsMultiagentCoordinatorParams { Agents = [member.ID] },
            },
            Cancellation);

        Assert.All([created, renamed, read, changed], agent => agent.Validate());
        Assert.Equal([(member.ID, 1), (created.ID, 1)], References(created));
        Assert.Equal([(member.ID, 1), (created.ID, 2)], References(renamed));
        Assert.True(JsonElement.DeepEquals(renamed.Multiagent!.Json, read.Multiagent!.Json));
        Assert.True(Entries(read)[^1].TryPickBetaManagedAgentsAdvisor(out var advisor));
        Assert.Equal(Advising, advisor.Model);
        Assert.Equal([(member.ID, 1)], References(changed));
    }

    [Fact]
    public async Task A_session_has_the_definitions_of_all_whom_its_coordinator_may_call()
    {
        var member = await lab.Agent("member", lab.Model());
        var lead = await Coordinator(member.ID);

        var created = await lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = lab.EnvironmentId, Agent = lead.ID }, Cancellation);
        await lab.Client.Beta.Agents.Archive(member.ID, cancellationToken: Cancellation);
        var later = await lab.Client.Beta.Sessions.Create(
            new SessionCreateParams { EnvironmentID = lab.EnvironmentId, Agent = lead.ID }, Cancellation);

        foreach (var session in (BetaManagedAgentsSession[])[created, later])
        {
            session.Validate();
            Assert.True(session.Agent.Multiagent!.TryPickCoordinator(out var roster));
            Assert.Equal(3, roster.Agents.Count);
            Assert.True(roster.Agents[0].TryPickBetaManagedAgentsSessionThread(out var first));
            Assert.Equal(("member", "You are member.", 1), (first.Name, first.System, first.Version));
            Assert.True(roster.Agents[1].TryPickBetaManagedAgentsSessionThread(out var self));
            Assert.Equal((lead.ID, "lead"), (self.ID, self.Name));
            Assert.True(roster.Agents[2].TryPickBetaManagedAgentsAdvisor(out _));
        }
    }

    [Fact]
    public async Task The_three_members_have_their_defaults_and_an_update_keeps_what_it_leaves_out()
    {
        var member = await lab.Agent("member", lab.Model());
        var plain = await lab.Agent("plain", lab.Model(), new BetaManagedAgentsMultiagent20261001Params());
        var created = await lab.Agent("lead", lab.Model(), new BetaManagedAgentsMultiagent20261001Params
        {
            Subagents = new BetaManagedAgentsMultiagentSubagentsEnabledParams
            {
                InlineAgents = new BetaManagedAgentsMultiagentInlineAgentsDisabledParams(),
                PredefinedAgents = [member.ID, new BetaManagedAgentsMultiagentSelfParams()],
            },
            Workflows = new BetaManagedAgentsMultiagentWorkflowsDisabledParams(),
            Advisor = new BetaManagedAgentsMultiagentAdvisorEnabledParams { Model = Advising },
        });

        var changed = await lab.Client.Beta.Agents.Update(
            created.ID,
            new AgentUpdateParams
            {
                Version = 1,
                Multiagent = new BetaManagedAgentsMultiagent20261001Params
                {
                    Advisor = new BetaManagedAgentsMultiagentAdvisorDisabledParams(),
                },
            },
            Cancellation);
        var read = await lab.Client.Beta.Agents.Retrieve(created.ID, cancellationToken: Cancellation);

        var defaults = Members(plain);
        Assert.True(defaults.Subagents.TryPickEnabled(out var anyone));
        Assert.True(anyone.InlineAgents.TryPickEnabled(out _));
        Assert.Empty(anyone.PredefinedAgents);
        Assert.True(defaults.Workflows.TryPickEnabled(out _));
        Assert.True(defaults.Advisor.TryPickDisabled(out _));
        Assert.True(Members(created).Advisor.TryPickEnabled(out var advisor));
        Assert.Equal(Advising, advisor.Model);
        Assert.True(Members(changed).Advisor.TryPickDisabled(out _));
        Assert.True(Members(changed).Workflows.TryPickDisabled(out _));
        Assert.True(Members(changed).Subagents.TryPickEnabled(out var kept));
        Assert.True(kept.InlineAgents.TryPickDisabled(out _));
        Assert.Equal(
            [(member.ID, 1), (created.ID, 2)], kept.PredefinedAgents.Select(entry => (entry.ID, entry.Version)));
        Assert.True(JsonElement.DeepEquals(changed.Multiagent!.Json, read.Multiagent!.Json));
    }

    [Fact]
    public async Task A_session_has_the_definitions_of_predefined_agents()
    {
        var member = await lab.Agent("member", lab.Model());
        var lead = await lab.Agent("lead", lab.Model(), new BetaManagedAgentsMultiagent20261001Params
        {
            Subagents = new BetaManagedAgentsMultiagentSubagentsEnabledParams { PredefinedAgents = [member.ID] },
            Workflows = new BetaManagedAgentsMultiagentWorkflowsEnabledParams
            {
                PredefinedAgents = [new BetaManagedAgentsAgentParams { ID = member.ID, Version = 1 }],
            },
        });

        var session = await (await lab.Session(lead)).Get();

        session.Validate();
        Assert.True(session.Agent.Multiagent!.TryPickMultiagent20261001(out var roster));
        Assert.True(roster.Subagents.TryPickEnabled(out var subagents));
        Assert.Equal("You are member.", Assert.Single(subagents.PredefinedAgents).System);
        Assert.True(roster.Workflows.TryPickEnabled(out var workflows));
        Assert.Equal("You are member.", Assert.Single(workflows.PredefinedAgents).System);
        Assert.True(roster.Advisor.TryPickDisabled(out _));
    }

    private Task<BetaManagedAgentsAgent> Coordinator(string memberId) =>
        lab.Agent("lead", lab.Model(), new BetaManagedAgentsMultiagentCoordinatorParams
        {
            Agents =
            [
                new BetaManagedAgentsAdvisorParams { Model = Advising },
                new BetaManagedAgentsAgentParams { ID = memberId, Version = 1 },
                new BetaManagedAgentsMultiagentSelfParams(),
            ],
        });

    private static IReadOnlyList<Anthropic.Models.Beta.Agents.Agent> Entries(BetaManagedAgentsAgent agent)
    {
        Assert.True(agent.Multiagent!.TryPickCoordinator(out var roster));
        return roster.Agents;
    }

    private static IEnumerable<(string Id, int Version)> References(BetaManagedAgentsAgent agent) =>
        Entries(agent)
            .Select(entry => entry.TryPickBetaManagedAgentsAgentReference(out var reference) ? reference : null)
            .OfType<BetaManagedAgentsAgentReference>().Select(reference => (reference.ID, reference.Version));

    private static BetaManagedAgentsMultiagent20261001 Members(BetaManagedAgentsAgent agent)
    {
        agent.Validate();
        Assert.True(agent.Multiagent!.TryPickMultiagent20261001(out var members));
        return members;
    }
}
