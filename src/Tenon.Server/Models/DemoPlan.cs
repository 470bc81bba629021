using System.Text.Json;
using System.Text.RegularExpressions;
using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>
/// What the demo model does next, decided by the user's last words and by what its tools have said since.
/// </summary>
internal static partial class DemoPlan
{
    private const string Introduction =
        "I am Tenon's built-in demo model: a script with no language understanding and no network, "
        + "but the tools that I use are real. ";

    public static DemoStep Next(ModelRequest request)
    {
        var asked = request.Messages.ToList().FindLastIndex(IsTask);
        if (asked < 0)
        {
            return new DemoStep(WhatICan);
        }

        var words = request.Messages[asked].Content.OfType<ModelText>().Select(text => text.Text);
        var task = string.Join('\n', words).Trim();
        var done = Results(request.Messages.Skip(asked + 1));
        var tools = request.Tools.Select(tool => tool.Name).ToHashSet(StringComparer.Ordinal);

        if (Prefixed().Match(task) is { Success: true } prefixed)
        {
            var command = Quoted().Match(task) is { Success: true } quoted ? quoted : prefixed;
            return Run(command.Groups["command"].Value, tools, done);
        }

        if (WriteFile().Match(task) is { Success: true } write && tools.Contains("write"))
        {
            return Write(write, done);
        }

        if (AboutTests().IsMatch(task) && tools.Contains("bash"))
        {
            return new DemoRepair(tools, done).Next(Introduction);
        }

        return Quoted().Match(task) is { Success: true } command2
            ? Run(command2.Groups["command"].Value, tools, done)
            : new DemoStep(WhatICan);
    }

    /// <summary>The text of a tool's result.</summary>
    public static string Text(ModelToolResult result) =>
        string.Join('\n', result.Content.OfType<TextBlock>().Select(block => block.Text));

    private static string WhatICan =>
        Introduction + """
            I can do three things here:

            - run a command: say "run ls -la", or put the command in backticks;
            - write a file: say "create a file notes.txt with the content hello";
            - find and fix the failing tests of the sample repository in examples/failing-tests: ask why the tests fail.

            For anything else, start the server with a real model: set ANTHROPIC_API_KEY for Claude, or OPENAI_API_KEY
            and, for any other service that speaks chat completions, OPENAI_BASE_URL.
            """;

    private static DemoStep Run(string command, HashSet<string> tools, IReadOnlyList<ModelToolResult> done) =>
        (tools.Contains("bash"), done) switch
        {
            (false, _) => new DemoStep(
                Introduction + $"I would run `{command}`, but this agent has no `bash` tool."),
            (_, []) => DemoStep.Call(Introduction + $"I run `{command}`.", "bash", ("command", command)),
            (_, [var result, ..]) => new DemoStep(result.IsError
                ? $"The command `{command}` failed:\n\n{Fenced(result)}"
                : $"The command `{command}` succeeded. Its output:\n\n{Fenced(result)}"),
        };

    private static DemoStep Write(Match asked, IReadOnlyList<ModelToolResult> done)
    {
        var path = asked.Groups["path"].Value;
        return done switch
        {
            [] => DemoStep.Call(
                Introduction + $"I write `{path}`.",
                "write",
                ("file_path", path),
                ("content", asked.Groups["content"].Value.Trim().Trim('"', '\'', '`') + "\n")),
            [{ IsError: true } result, ..] => new DemoStep($"Writing `{path}` failed:\n\n{Fenced(result)}"),
            [var result, ..] => new DemoStep($"The file is written. The tool said:\n\n{Fenced(result)}"),
        };
    }

    internal static string Fenced(ModelToolResult result) => $"```\n{Text(result).Trim()}\n```";

    // Words beside results are new words: the user interrupted what was being done.
    private static bool IsTask(ModelMessage message) =>
        message.Role == ModelRole.User && message.Content.Any(content => content is ModelText);

    private static List<ModelToolResult> Results(IEnumerable<ModelMessage> messages) =>
        [.. messages.SelectMany(message => message.Content).OfType<ModelToolResult>()];

    [GeneratedRegex(@"^(run\s+|\$\s+)(?<command>.+)$", RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex Prefixed();

    [GeneratedRegex("`(?<command>[^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(
        @"\b(write|create|make)\b(\s+(me|a|an|the|new|file|text|called|named))*\s+[`""']?(?<path>[\w./-]+\.\w+)[`""']?"
        + @",?\s+(with|containing|that\s+says|saying)(\s+(the|this|content|contents|text|words?))*:?\s+(?<content>.+)$",
        RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex WriteFile();

    [GeneratedRegex(
        @"\btests?\b.*\b(fail\w*|broken|red|wrong|fix\w*|pass)\b|\b(fail\w*|broken|red|fix\w*)\b.*\btests?\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex AboutTests();
}

/// <summary>One answer of the demo model: text, and perhaps one call.</summary>
internal sealed record DemoStep(string Text)
{
    public string? Tool { get; init; }

    public JsonElement Input { get; init; }

    public int Chars => Text.Length + (Tool is null ? 0 : Tool.Length + Input.GetRawText().Length);

    public static DemoStep Call(string text, string tool, params (string Name, string Value)[] input) => new(text)
    {
        Tool = tool,
        Input = JsonSerializer.SerializeToElement(input.ToDictionary(field => field.Name, field => field.Value)),
    };
}
