using Tenon.Server.Workflows;
using Xunit;

namespace Tenon.Server.Tests.Workflows;

/// <summary>The program of a plan, run as far as its results take it.</summary>
public sealed class PlanProgramTests
{
    private const string Three =
        "const [a, b, c] = ['x', 'y', 'z'].map(task => startAgent('w', task)); ";

    [Fact]
    public void It_waits_for_a_result_that_there_is_none_of_and_says_what_it_wants_till_then()
    {
        var run = Run(Three + "return wait(b) + wait(a);", null, new PlanResult("B", false, 0), null);

        Assert.Equal(PlanEnd.Waits, run.End);
        Assert.Equal(["x", "y", "z"], run.Steps.OfType<StartAgent>().Select(start => start.Task));
    }

    [Fact]
    public void The_first_is_the_one_that_finished_first()
    {
        var run = Run(Three + "const f = waitAny([a, b, c]); return f.index + f.text;",
            new PlanResult("A", false, 2), new PlanResult("B", false, 1), null);

        Assert.Equal((PlanEnd.Completed, "1B"), (run.End, run.Text));
    }

    [Fact]
    public void A_wait_cannot_be_caught_by_the_program_and_a_failure_can()
    {
        const string program =
            Three + "try { wait(a); } catch (e) { return 'caught ' + e.message; } finally { wait(b); }";

        Assert.Equal(PlanEnd.Waits, Run(program, null, null, null).End);
        Assert.Equal("caught no", Run(
            program, new PlanResult("no", true, 0), new PlanResult("B", false, 1), null).Text);
    }

    [Fact]
    public void It_starts_as_many_agents_as_it_may_and_no_more()
    {
        var run = PlanProgram.Run(Three, [], [], new PlanLimits { AgentsMax = 2 });

        Assert.Equal(PlanEnd.TooManyAgents, run.End);
        Assert.Equal(2, run.Steps.Count);
    }

    [Theory]
    [InlineData("return {a: [1, 'b']};", """{"a":[1,"b"]}""")]
    [InlineData("return 'plain';", "plain")]
    [InlineData("", "")]
    [InlineData("return null;", "")]
    public void What_it_returns_is_a_text(string program, string text)
    {
        var run = Run(program);

        Assert.Equal((PlanEnd.Completed, text), (run.End, run.Text));
    }

    [Theory]
    [InlineData("__start('w', '', 'x')")]
    [InlineData("globalThis.startAgent = null; wait(startAgent('w', 'x'))")]
    [InlineData("importNamespace('System')")]
    public void Nothing_else_is_in_its_reach(string program) => Assert.Equal(PlanEnd.Failed, Run(program).End);

    private static PlanRun Run(string program, params PlanResult?[] results) =>
        PlanProgram.Run(program, [], results, new PlanLimits());
}
