using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.Sessions.Events;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.Crash;

/// <summary>The server dies by <c>kill -9</c> while agents work together, or while their work is graded.</summary>
public sealed class TeamCrashTests(CrashLab crashLab) : IClassFixture<CrashLab>
{
    private readonly Lab _lab = crashLab.Lab;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_thread_and_a_workflow_run_go_on_and_nothing_of_them_happens_twice()
    {
        var coder = await _lab.Agent(
            "coder", Worker("begun_a"), null, new BetaManagedAgentsAgentToolset20260401Params());
        var tester = await _lab.Agent(
            "tester", Worker("begun_b"), null, new BetaManagedAgentsAgentToolset20260401Params());
        var lead = _lab.Model(Reply.ToolUse("send_to_agent", new { agent = "coder", message = "Begin." }).Then(
            Reply.ToolUse("start_workflow_run", new { program = "return wait(startAgent('tester', 'Begin.'));" })))
            .Otherwise(Reply.Text("Noted."));
        var session = await _lab.Session(await _lab.Agent("lead", lead, new BetaManagedAgentsMultiagent20261001Params
        {
            Subagents = new BetaManagedAgentsMultiagentSubagentsEnabledParams { PredefinedAgents = [coder.ID] },
            Workflows = new BetaManagedAgentsMultiagentWorkflowsEnabledParams { PredefinedAgents = [tester.ID] },
        }));
        await session.Send(Events.Message("go"));
        var begun = await _lab.Server.SandboxWrote("begun", "begun_a", Cancellation);
        await _lab.Server.SandboxWrote("begun", "begun_b", Cancellation);

        await _lab.Server.Kill();
        await _lab.Server.Start();
        var folder = Path.GetDirectoryName(begun)!;
        await File.WriteAllTextAsync(Path.Combine(folder, "go"), "", Cancellation);

        var types = await Follow(session);
        Assert.Equal(2, types.Count(type => type == "session.thread_created"));
        Assert.Single(types, "agent.thread_message_received");
        Assert.Single(types, "workflow_run.status_ended");
        Assert.Equal(2, (await File.ReadAllLinesAsync(Path.Combine(folder, "effects"), Cancellation)).Length);
    }

    [Fact]
    public async Task An_evaluation_that_was_cut_short_is_made_again_under_its_start()
    {
        var session = await _lab.Session(
            _lab.Model(Reply.Text("A poem."), Reply.Hang("Hm"), Reply.ToolUse(
                "give_verdict", new { result = "satisfied", explanation = "It rhymes." })));
        await using (var stream = await session.Open())
        {
            await session.Send(new BetaManagedAgentsUserDefineOutcomeEventParams
            {
                Description = "Write a poem.",
                Rubric = new BetaManagedAgentsTextRubricParams { Content = "- It rhymes." },
            });

            // By then the grader has been asked.
            await stream.ReadTo("span.outcome_evaluation_ongoing");
        }

        await _lab.Server.Kill();
        await _lab.Server.Start();

        var types = await Follow(session);
        Assert.Single(types, "span.outcome_evaluation_start");
        Assert.Single(types, "span.outcome_evaluation_end");
        Assert.Equal("satisfied", Assert.Single((await session.Get()).OutcomeEvaluations).Result);
    }

    private ModelScript Worker(string mark) => _lab.Model(
        Reply.ToolUse("bash", new
        {
            command = $"echo begun > {mark}; until [ -e go ]; do sleep 0.01; done; echo {mark} >> effects",
        }),
        Reply.Text("done"));

    private static async Task<List<string>> Follow(LabSession session)
    {
        await using var stream = await session.Open();
        if ((await session.History())[^1].Type() != "session.status_idle")
        {
            await stream.ReadTo("session.status_idle");
        }

        return [.. (await session.History()).Types()];
    }
}
