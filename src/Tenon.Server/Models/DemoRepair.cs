using System.Text.RegularExpressions;

namespace Tenon.Server.Models;

/// <summary>
/// The demo model's plan for a repository whose tests fail: look around, run the tests, read the source, fix it, run
/// the tests again, report. Every step is taken from what the tools said before; it knows one kind of mistake.
/// </summary>
internal sealed partial class DemoRepair(HashSet<string> tools, IReadOnlyList<ModelToolResult> done)
{
    /// <summary>
    /// Finds a test script here or one folder down, and shows it with its README. Bash and coreutils only.
    /// </summary>
    private const string LookAround =
        """
        pwd; ls
        for script in test.sh */test.sh; do
          if [ -f "$script" ]; then
            echo "test script: $script"
            cat "$(dirname "$script")/README.md" 2> /dev/null
            cat "$script"
            break
          fi
        done
        """;

    private const string Stopped = "I am a script, and this is not what I was written for, so I stop here. ";

    public DemoStep Next(string introduction) => done.Count switch
    {
        0 => DemoStep.Call(introduction + "First I look at what is here.", "bash", ("command", LookAround)),
        1 => RunTests("I found the test script. I run it as it is."),
        2 => ReadSource(),
        3 => Fix(),
        4 => done[3].IsError
            ? new DemoStep($"{Stopped}The fix could not be written:\n\n{DemoPlan.Fenced(done[3])}")
            : RunTests("The fix is in. I run the tests again."),
        _ => Report(),
    };

    private string Seen => DemoPlan.Text(done[0]);

    private Match Script => ScriptLine().Match(Seen);

    /// <summary>The folder of the test script, below the folder that <c>pwd</c> printed.</summary>
    private string Folder =>
        string.Join('/', [Seen.Split('\n')[0].Trim(), .. Script.Groups["path"].Value.Split('/')[..^1]]);

    private string SourcePath => $"{Folder}/{SourceLine().Match(Seen).Groups["file"].Value}";

    private MatchCollection Failures => FailedTest().Matches(DemoPlan.Text(done[1]));

    private DemoStep RunTests(string text) => Script.Success
        ? DemoStep.Call(text, "bash", ("command", $"cd '{Folder}' && bash ./test.sh"))
        : new DemoStep(
            $"{Stopped}There is no `test.sh` here or one folder down. What I saw:\n\n{DemoPlan.Fenced(done[0])}");

    private DemoStep ReadSource()
    {
        if (Failures.Count == 0)
        {
            return new DemoStep(done[1].IsError
                ? $"{Stopped}The test script failed without naming a test:\n\n{DemoPlan.Fenced(done[1])}"
                : $"No test fails, so there is nothing to fix. The test script said:\n\n{DemoPlan.Fenced(done[1])}");
        }

        if (!SourceLine().IsMatch(Seen) || !tools.Contains("read"))
        {
            return new DemoStep(
                $"{Stopped}{Failed()}, but I cannot read the source that they test:\n\n{DemoPlan.Fenced(done[1])}");
        }

        return DemoStep.Call($"{Failed()}. I read the source that they test.", "read", ("file_path", SourcePath));
    }

    private DemoStep Fix()
    {
        var slips = ReplaceOnce().Matches(DemoPlan.Text(done[2]));
        if (done[2].IsError || slips.Count != 1 || !tools.Contains("edit"))
        {
            return new DemoStep(
                $"{Stopped}{Failed()}. I know one mistake only, `${{name/old/new}}` where every match should be "
                + $"replaced, and I cannot pin it down in `{SourcePath}`. The tests said:\n\n"
                + DemoPlan.Fenced(done[1]));
        }

        return DemoStep.Call(
            $"`{slips[0].Value}` replaces the first match only; with two slashes it replaces every one.",
            "edit",
            ("file_path", SourcePath),
            ("old_string", slips[0].Value),
            ("new_string", Fixed(slips[0])));
    }

    private DemoStep Report()
    {
        var slip = ReplaceOnce().Match(DemoPlan.Text(done[2]));
        var passed = !done[4].IsError && FailedTest().Count(DemoPlan.Text(done[4])) == 0;
        return new DemoStep(
            $"""
            {Failed()}:

            {DemoPlan.Fenced(done[1])}

            Why: `{slip.Value}` in `{SourcePath}` replaces only the first match, so a second one stays as it is.
            What I changed: it is now `{Fixed(slip)}`, which replaces every match.

            {(passed ? "After the change every test passes:" : "The tests still do not pass after the change:")}

            {DemoPlan.Fenced(done[4])}

            (I am the demo model: I followed a script that was written for this kind of repository.)
            """);
    }

    private string Failed()
    {
        var names = string.Join(" and ", Failures.Select(test => $"\"{test.Groups["name"].Value.Trim()}\""));
        return Failures.Count == 1 ? $"The test {names} fails" : $"The tests {names} fail";
    }

    private static string Fixed(Match slip) => slip.Value.Insert(slip.Groups["slash"].Index - slip.Index, "/");

    [GeneratedRegex(@"^test script: (?<path>.+?)\r?$", RegexOptions.Multiline)]
    private static partial Regex ScriptLine();

    [GeneratedRegex(@"^\s*(source|\.)\s+""?(\./|\$\{?\w+\}?/)?(?<file>[\w-]+\.sh)""?", RegexOptions.Multiline)]
    private static partial Regex SourceLine();

    [GeneratedRegex(@"^not ok \d+ - (?<name>.+?)\r?$", RegexOptions.Multiline)]
    private static partial Regex FailedTest();

    /// <summary>
    /// An assignment from <c>${name/old/new}</c>: bash replaces one match, and authors often mean all.
    /// </summary>
    [GeneratedRegex(@"\w+=""?\$\{\w+(?<slash>/)(?![/#%])[^/}]+/[^}]*\}""?")]
    private static partial Regex ReplaceOnce();
}
