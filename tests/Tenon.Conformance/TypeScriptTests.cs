using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance;

/// <summary>The programs in <c>typescript/</c>, each with a model of its own.</summary>
public sealed class TypeScriptTests(Lab lab)
{
    [Fact]
    public Task The_quickstart_flow_sees_its_whole_turn() => Run("quickstart.mjs", Reply.Text("Hel", "lo"));

    [Fact]
    public Task Previews_accumulate_to_the_message() => Run("deltas.mjs", Reply.Text("Once ", "upon ", "a time"));

    [Fact]
    public Task An_interrupt_ends_a_hanging_answer() =>
        Run("interrupt.mjs", Reply.Hang("Well"), Reply.Text("Going on"));

    [Fact]
    public Task A_dropped_stream_is_made_up_for_by_listing() =>
        Run("resume.mjs", Reply.Hang("Well"), Reply.Text("Going on"));

    [Fact]
    public Task A_custom_tool_is_answered() => Run(
        "custom-tool.mjs", Reply.ToolUse("get_weather", new { city = "Oslo" }), Reply.Text("It is 14 degrees."));

    [Fact]
    public Task Calls_are_allowed_and_denied() => Run(
        "confirmation.mjs",
        Reply.ToolUse("bash", new { command = "echo first ran" }),
        Reply.ToolUse("bash", new { command = "echo second ran" }),
        Reply.Text("done"));

    [Fact]
    public async Task Tools_of_an_MCP_server_are_allowed_and_one_that_is_away_is_told()
    {
        await using var host = new McpHost().Says("greet", "hello from afar");
        var model = lab.Model(Reply.ToolUse("mcp__greeter__greet", new { text = "x" }), Reply.Text("done"));

        await Run("mcp.mjs", model, ("CONFORMANCE_MCP", host.AddressUrl));

        Assert.Equal(["greet"], host.Calls);
    }

    [Fact]
    public Task An_agent_reads_a_mounted_file() => Run(
        "agents-with-files.mjs",
        Reply.ToolUse("read", new { file_path = "/uploads/data.csv" }),
        Reply.Text("The columns are name and score."));

    [Fact]
    public Task Files_are_uploaded_listed_mounted_and_handed_back() => Run(
        "files.mjs",
        Reply.ToolUse("bash", new { command = "echo report > /mnt/session/outputs/report.txt" }),
        Reply.Text("done"));

    [Fact]
    public async Task Pictures_of_the_user_and_of_a_tool_are_shown_to_the_model()
    {
        var model = lab.Model(Reply.ToolUse("read", new { file_path = "/uploads/a.png" }), Reply.Text("It is."));

        await Run("pictures.mjs", model);

        Assert.Equal([1, 2], model.Requests.Select(PicturesIn));
    }

    [Fact]
    public Task An_outcome_is_graded_revised_and_satisfied_and_the_next_one_interrupted() => Run(
        "outcome.mjs",
        Reply.ToolUse("bash", new { command = "echo one > /mnt/session/outputs/poem.txt" }),
        Reply.Text("Written."),
        Reply.ToolUse("read", new { file_path = "/mnt/session/outputs/poem.txt" }),
        Reply.ToolUse("give_verdict", new { result = "needs_revision", explanation = "It does not rhyme." }),
        Reply.ToolUse("bash", new { command = "echo sun >> /mnt/session/outputs/poem.txt" }),
        Reply.Text("Revised."),
        Reply.ToolUse("give_verdict", new { result = "satisfied", explanation = "It rhymes." }),
        Reply.Hang("Well"));

    [Fact]
    public Task Rosters_are_saved_changed_and_spelled_out_in_sessions() => Run("rosters.mjs");

    [Fact]
    public Task Two_agents_work_at_once_in_threads_of_their_own() => Run(
        "multiagent.mjs",
        lab.Model(
            Reply.ToolUse("send_to_agent", new { agent = "careful", message = "Check it." }).Then(
                Reply.ToolUse("send_to_agent", new { agent = "slow", message = "Take your time." })))
            .Otherwise(Reply.Text("Noted.")),
        ("CONFORMANCE_CAREFUL", lab.Model(
            Reply.ToolUse("bash", new { command = "echo checked" }), Reply.Text("It is ", "checked.")).Name),
        ("CONFORMANCE_SLOW", lab.Model(Reply.Hang("Well")).Name));

    [Fact]
    public Task An_advisor_is_consulted() => Run(
        "advisor.mjs",
        lab.Model(Reply.ToolUse("consult_advisor", new { question = "What next?" }), Reply.Text("I follow it.")),
        ("CONFORMANCE_ADVISOR", lab.Model(Reply.Text("Write the test first.")).Name));

    [Fact]
    public Task A_workflow_run_ends_and_another_one_fails()
    {
        var worker = lab.Model(Reply.ToolUse("bash", new { command = "echo 1" }), Reply.Text("1"), Reply.Text("3"));
        var program = $$"""
            const found = phase('look', () => waitAll([startAgent('worker', 'look')]));
            return phase('sum', () =>
              wait(startAgent({name: 'adder', system: 'Add.', model: '{{worker.Name}}'}, found.join('+'))));
            """;
        var phases = new object[] { new { name = "look", description = "Looks." }, new { name = "sum" } };
        var planner = lab.Model(
            Reply.ToolUse("start_workflow_run", new { name = "adding", phases, program }),
            Reply.Text("Started."),
            Reply.Text("It has ended."),
            Reply.ToolUse("start_workflow_run", new { program = "throw new Error('no');" }));

        return Run("workflow.mjs", planner.Otherwise(Reply.Text("Noted.")), ("CONFORMANCE_WORKER", worker.Name));
    }

    [Fact]
    public Task A_forked_session_goes_on_with_the_files() => Run(
        "fork.mjs",
        Reply.ToolUse("bash", new { command = "echo of the first > note" }),
        Reply.Text("Kept."),
        Reply.ToolUse("bash", new { command = "cat note" }),
        Reply.Text("It is there."));

    [Fact]
    public Task Lists_page_by_themselves() => Run("paging.mjs", Reply.Text("Hello"));

    [Fact]
    public Task Each_failure_has_its_class() => Run("errors.mjs");

    [Fact]
    public Task The_runner_of_the_SDK_runs_what_is_allowed_and_not_what_is_denied() => Run(
        "tool-runner.mjs",
        Reply.ToolUse("bash", new { command = "first" }),
        Reply.ToolUse("bash", new { command = "second" }),
        Reply.Text("done"));

    [Fact]
    public Task The_example_of_a_session_ends() => Run("example-agents.mjs", Reply.Text("A friendly word."));

    [Fact]
    public async Task The_example_with_everything_that_an_agent_can_have_ends()
    {
        await using var host = Everything.Host("token-of-a-code-host");

        await Run("example-agents-comprehensive.mjs", Everything.Model(lab),
            ("CONFORMANCE_MCP", host.AddressUrl), ("CONFORMANCE_TOKEN", "token-of-a-code-host"));

        Assert.Equal(["search"], host.Calls);
    }

    [Fact]
    public Task The_example_of_previews_ends() => Run("example-deltas.mjs", Reply.Text("Waves ", "come ", "and go"));

    [Fact]
    public Task The_example_that_observes_its_tool_calls_ends() => Run(
        "example-observe-tool-calls.mjs",
        Reply.ToolUse("current_time", new { }).Then(Reply.ToolUse("bash", new { command = "pwd" })),
        Reply.Text("Now, and here."));

    [Fact]
    public async Task The_SDK_reaches_every_operation_that_works() => Assert.Equal(
        Operations.OfSessions, Operations.Used(Requests(await Run("operations.mjs", Reply.Text("Hel", "lo")))));

    [Fact]
    public async Task The_SDK_reaches_every_operation_of_vaults() =>
        Assert.Equal(Operations.Of("vaults"), Operations.Used(Requests(await Run("vaults.mjs"))));

    [Fact]
    public Task A_repository_is_attached_and_given_another_token() => Run("repositories.mjs");

    [Fact]
    public async Task Every_operation_on_skills_works_and_the_worker_fetches_them() => Assert.Equal(
        Operations.Of("skills"), Operations.Used(Requests(await Run("skills.mjs"))
            .Where(request => request.Contains(" /v1/skills", StringComparison.Ordinal))));

    private static IEnumerable<string> Requests(string output)
    {
        const string Mark = "REQUEST ";
        return output.Split('\n').Where(line => line.StartsWith(Mark, StringComparison.Ordinal))
            .Select(line => line[Mark.Length..].Trim());
    }

    [Fact]
    public async Task The_SDK_reaches_every_operation_of_memory_and_an_agent_remembers()
    {
        const string Mark = "REQUEST ";
        var output = await Run(
            "memory.mjs",
            Reply.ToolUse("write", new { file_path = "/mnt/memory/typescript/prefs/editor.md", content = "Vim" }),
            Reply.Text("Kept."),
            Reply.ToolUse("bash", new { command = "cat /mnt/memory/typescript/prefs/*" }),
            Reply.Text("You use Vim."));

        Assert.Equal(Operations.Of("memory_stores"), Operations.Used(output.Split('\n')
            .Where(line => line.StartsWith(Mark, StringComparison.Ordinal))
            .Select(line => line[Mark.Length..].Trim())
            .Where(request => request.Contains("/memory_stores", StringComparison.Ordinal))));
    }

    private static int PicturesIn(System.Text.Json.JsonElement request) =>
        request.GetRawText().Split($"\"data\":\"{Convert.ToBase64String(MediaSamples.Png)}\"").Length - 1;

    private Task<string> Run(string program, params Reply[] replies) => Run(program, lab.Model(replies));

    private async Task<string> Run(
        string program, ModelScript model, params IEnumerable<(string Name, string Value)> more)
    {
        var variables = new Dictionary<string, string>
        {
            ["ANTHROPIC_BASE_URL"] = lab.Server.Url,
            ["ANTHROPIC_API_KEY"] = ServerProcess.ApiKey,
            ["CONFORMANCE_MODEL"] = model.Name,
        };
        foreach (var (name, value) in more)
        {
            variables[name] = value;
        }

        var folder = Repository.PathTo("tests/Tenon.Conformance/typescript");

        var (exitCode, output) = await ChildProgram.Run(
            ["node", program], folder, variables, TestContext.Current.CancellationToken);

        Assert.True(exitCode == 0, $"{program} failed:\n{output}");
        return output;
    }
}
