using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>The example in which a coder, a reviewer and a grader make a failing test pass.</summary>
public sealed class TeamExampleTests(TestServer server)
{
    private const string Name = "scripted-team-example";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_coder_a_reviewer_and_an_outcome_make_a_failing_test_pass()
    {
        var lead = server.Models.Of(Name);
        lead.Calls("send_to_agent", Team.Gives("coder", "Make the test pass.")).Says("The coder is at work.")
            .Calls("send_to_agent", Team.Gives("reviewer", "Review total.py.")).Says("The reviewer is at work.")
            .Says("The test passes, and the review found nothing.")
            .Calls("read", """{"file_path":"/mnt/session/outputs/total.py"}""");
        lead.Calls("give_verdict", """{"result":"satisfied","explanation":"It sums all numbers."}""");
        var coder = server.Models.Of($"{Name}-coder");
        var codes = coder.CallsWhenReleased("bash", JsonSerializer.Serialize(new
        {
            command = "cp /mnt/session/uploads/*.py . && python3 test_total.py; sed -i 's/.1:.//' total.py && "
                + "python3 test_total.py && cp total.py /mnt/session/outputs",
        }));
        coder.Says("I took a slice out, and the test passes.");
        var reviewer = server.Models.Of($"{Name}-reviewer");
        var reviews = reviewer.CallsWhenReleased("bash", """{"command":"cat total.py"}""");
        reviewer.Says("Nothing is wrong.");

        var running = ExampleProgram.Run(server, "team.mjs", new()
        {
            ["MODEL"] = Name, ["CODER_MODEL"] = $"{Name}-coder", ["REVIEWER_MODEL"] = $"{Name}-reviewer",
        });

        // Each works only once the lead has been asked again, so that what it hears comes after its own words.
        await lead.Asked(Cancelled);
        await lead.Asked(Cancelled);
        codes.SetResult();
        await lead.Asked(Cancelled);
        await lead.Asked(Cancelled);
        reviews.SetResult();

        Assert.Equal(
            """
            to coder: Make the test pass.
            from coder: I took a slice out, and the test passes.
            to reviewer: Review total.py.
            from reviewer: Nothing is wrong.
            satisfied: It sums all numbers.
            def total(numbers):
                return sum(numbers)
            """.ReplaceLineEndings("\n"), (await running).Trim());
        var worked = coder.Requests.Last().Messages[^1].Content.OfType<ModelToolResult>().Single();
        Assert.False(worked.IsError);
    }
}
