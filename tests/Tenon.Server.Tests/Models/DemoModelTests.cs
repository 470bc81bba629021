using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Models;

public sealed class DemoModelTests : IDisposable
{
    /// <summary>The longest plan has six answers; a plan that goes in circles must not hang the tests.</summary>
    private const int RoundsMax = 10;

    private readonly SampleRepository repository = new();

    public void Dispose() => repository.Dispose();

    [Theory]
    [InlineData("failing-tests")]
    [InlineData(".")]
    public async Task It_finds_and_fixes_the_failing_tests_of_the_sample_repository(string folder)
    {
        repository.Copy("failing-tests", folder);

        var runs = await Talk("Two tests fail in this repository. Why? Please fix it.");

        Assert.Equal(
            ["bash", "bash", "read", "edit", "bash"], runs.SelectMany(run => run.Calls).Select(call => call.Name));
        var report = runs[^1].Text;
        Assert.Contains("not ok 3 - slugify joins every word", report, StringComparison.Ordinal);
        Assert.Contains("7 passed, 0 failed", report, StringComparison.Ordinal);
        Assert.Contains("After the change every test passes", report, StringComparison.Ordinal);
        var after = repository.Run(Bash($"bash {folder}/test.sh"));
        Assert.False(after.IsError, DemoText(after));
    }

    [Fact]
    public async Task It_says_so_when_there_is_no_test_script()
    {
        var runs = await Talk("Why do the tests fail?");

        Assert.Equal(2, runs.Count);
        Assert.Contains("There is no `test.sh` here", runs[^1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_changes_nothing_when_every_test_passes()
    {
        File.WriteAllText(Path.Combine(repository.Root, "test.sh"), "echo 'ok 1 - fine'");

        var runs = await Talk("Fix the failing tests.");

        Assert.Contains("nothing to fix", runs[^1].Text, StringComparison.Ordinal);
        Assert.DoesNotContain(runs.SelectMany(run => run.Calls), call => call.Name == "edit");
    }

    [Fact]
    public async Task It_stops_and_says_so_when_it_does_not_know_the_mistake()
    {
        repository.Copy("failing-tests", ".");
        var source = Path.Combine(repository.Root, "slugify.sh");
        File.WriteAllText(source, "slugify() { echo wrong; }\ncapitalize() { :; }\nshorten() { :; }\n");
        var before = repository.Read("slugify.sh");

        var runs = await Talk("Why do the tests fail?");

        Assert.Contains("I stop here", runs[^1].Text, StringComparison.Ordinal);
        Assert.Contains("not ok 1 - slugify lowers the case", runs[^1].Text, StringComparison.Ordinal);
        Assert.Equal(before, repository.Read("slugify.sh"));
    }

    [Theory]
    [InlineData("run echo $((40 + 2))")]
    [InlineData("$ echo $((40 + 2))")]
    [InlineData("Please tell me what `echo $((40 + 2))` prints.")]
    public async Task It_runs_a_command_and_reports_what_it_printed(string message)
    {
        var runs = await Talk(message);

        Assert.Equal("echo $((40 + 2))", runs[0].Calls.Single().Input.GetProperty("command").GetString());
        Assert.Contains("succeeded. Its output:\n\n```\n42\n```", runs[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_reports_that_a_command_failed()
    {
        var runs = await Talk("run echo nothing here; exit 3");

        Assert.Contains("failed:\n\n```\nnothing here\n```", runs[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_writes_a_file()
    {
        var runs = await Talk("Please create a file called notes.txt with the content \"hello there\"");

        Assert.Equal("hello there\n", repository.Read("notes.txt"));
        Assert.Contains("wrote 12 bytes", runs[^1].Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Hello, who are you?")]
    [InlineData("")]
    public async Task To_anything_else_it_says_what_it_is_and_how_to_set_a_real_model(string message)
    {
        var runs = await Talk(message);

        var run = Assert.Single(runs);
        Assert.Equal(ModelStop.EndTurn, run.Response.Stop);
        Assert.Contains("demo model", run.Text, StringComparison.Ordinal);
        Assert.Contains("ANTHROPIC_API_KEY", run.Text, StringComparison.Ordinal);
        Assert.Contains("OPENAI_BASE_URL", run.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_bash_it_says_that_it_cannot_run_a_command()
    {
        var run = await ModelRun.Of(new DemoModel(), ModelRun.Ask("run ls"));

        Assert.Empty(run.Calls);
        Assert.Contains("no `bash` tool", run.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task New_words_after_an_interrupt_are_a_new_task()
    {
        var request = ModelRun.Ask("Why do the tests fail?", [.. SampleRepository.Tools]);
        var first = await ModelRun.Of(new DemoModel(), request);

        var second = await ModelRun.Of(new DemoModel(), request with
        {
            Messages =
            [
                .. request.Messages,
                new ModelMessage(ModelRole.Assistant, first.Response.Content),
                new ModelMessage(ModelRole.User,
                [
                    new ModelToolResult(first.Calls[0].Id, [ContentBlock.Of("interrupted")], true),
                    new ModelText("run pwd"),
                ]),
            ],
        });

        Assert.Equal("pwd", second.Calls.Single().Input.GetProperty("command").GetString());
        Assert.NotEqual(first.Calls[0].Id, second.Calls[0].Id);
    }

    [Fact]
    public async Task Its_text_streams_in_a_few_fragments_and_its_tokens_are_counted()
    {
        var run = await ModelRun.Of(new DemoModel(), ModelRun.Ask("Hello"));

        Assert.InRange(run.Chunks.OfType<ModelChunk.Text>().Count(), 2, 4);
        Assert.Equal(run.Text, string.Concat(run.Chunks.OfType<ModelChunk.Text>().Select(chunk => chunk.Fragment)));
        Assert.Equal((run.Text.Length + 3) / 4, run.Response.Usage.OutputTokens);
        Assert.InRange(run.Response.Usage.InputTokens, 1, 100);
    }

    [Fact]
    public async Task The_same_request_has_the_same_answer()
    {
        var request = ModelRun.Ask("run ls", [.. SampleRepository.Tools]);

        var first = await ModelRun.Of(new DemoModel(), request);
        var second = await ModelRun.Of(new DemoModel(), request);

        Assert.Equal(first.Chunks[..^1], second.Chunks[..^1]);
        Assert.Equal(first.Calls[0].Id, second.Calls[0].Id);
        Assert.Equal(first.Calls[0].Input.GetRawText(), second.Calls[0].Input.GetRawText());
    }

    [Fact]
    public async Task Cancellation_ends_the_answer()
    {
        using var cancelled = new CancellationTokenSource();
        await using var chunks = new DemoModel()
            .Stream(ModelRun.Ask("Hello"), cancelled.Token).GetAsyncEnumerator(cancelled.Token);
        await chunks.MoveNextAsync();

        await cancelled.CancelAsync();

        await Assert.ThrowsAsync<OperationCanceledException>(async () => await chunks.MoveNextAsync());
    }

    /// <summary>Runs the model and its tools until it ends its turn.</summary>
    private async Task<List<ModelRun>> Talk(string message)
    {
        var model = new DemoModel();
        var runs = new List<ModelRun>();
        var messages = new List<ModelMessage> { ModelRun.User(message) };
        while (runs.Count < RoundsMax && (runs.Count == 0 || runs[^1].Response.Stop == ModelStop.ToolUse))
        {
            var run = await ModelRun.Of(
                model, ModelRun.Ask("", [.. SampleRepository.Tools]) with { Messages = [.. messages] });
            runs.Add(run);
            messages.Add(new ModelMessage(ModelRole.Assistant, run.Response.Content));
            messages.Add(new ModelMessage(ModelRole.User, [.. run.Calls.Select(repository.Run)]));
        }

        Assert.Equal(ModelStop.EndTurn, runs[^1].Response.Stop);
        var ids = runs.SelectMany(run => run.Calls).Select(call => call.Id).ToList();
        Assert.Equal(ids.Distinct(), ids);
        return runs;
    }

    private static ModelToolUse Bash(string command) =>
        new("id", "bash", System.Text.Json.JsonSerializer.SerializeToElement(new { command }));

    private static string DemoText(ModelToolResult result) =>
        string.Concat(result.Content.OfType<TextBlock>().Select(block => block.Text));
}
