using System.Text.RegularExpressions;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests;

/// <summary>The rules of the source tree that no compiler knows. Each failure says what to do instead.</summary>
public sealed partial class TidyTests
{
    private const int FileLinesMax = 400;
    private const int MethodLinesMax = 70;
    private const int LineMax = 120;
    private const int ReadmeLinesMax = 20;

    /// <summary>A call that is not made, where, and what stands in its place.</summary>
    private static readonly (string Pattern, string Where, string Instead)[] BannedCalls =
    [
        (@"\bDateTime(Offset)?\.(Utc)?Now\b", "", "TimeProvider.GetUtcNow"),
        (@"\bThread\.Sleep\(", "", "a signal, or Task.Delay with a TimeProvider"),
        (@"\bTask\.Delay\((?![^;]*\b(clock|time|timeProvider)\b)", "src/", "Task.Delay with a TimeProvider"),
        (@"\bCreateUnbounded\b", "src/", "a bounded channel with its FullMode"),
        (@"\bnew HttpClient\(", "src/", "a client made once by its owner"),
        (@"\.GetAwaiter\(\)\.GetResult\(|(?<!Task)\.Wait\(\s*\)|\b[Tt]ask\.Result\b", "src/Tenon.Server/", "await"),
        (@"\bConsole\.", "src/Tenon.Server/", "a logger; only the verbs print"),
    ];

    /// <summary>Places that must break a rule, each for a reason. An entry that is no longer needed fails.</summary>
    private static readonly HashSet<string> Excused =
    [
        // The hand waits in a loop of its own for processes that the kernel has not yet let go; it has no scheduler.
        @"src/Tenon.Hand/Processes/ProcessTable.cs \bThread\.Sleep\(",

        // The kernel counts a dead process as a member for a moment longer, and tells nobody when it stops.
        @"src/Tenon.Server/Sandboxes/SandboxCgroup.cs \bThread\.Sleep\(",

        // The kernel tells nobody when a lock of a file is free, unless it is waited for without end.
        @"src/Tenon.Server/Sandboxes/LinuxDisks.cs \bThread\.Sleep\(",

        // The one owner of the connections to model services; it lives as long as the server.
        @"src/Tenon.Server/Models/ServiceCall.cs \bnew HttpClient\(",

        // Each connection to an MCP server has a token of its own; what they share is the handler below.
        @"src/Tenon.Server/Mcp/McpHttpLink.cs \bnew HttpClient\(",
    ];

    private static readonly string[] TextKinds =
        [".cs", ".csproj", ".props", ".slnx", ".json", ".md", ".ts", ".mjs", ".py", ".yml", ".yaml", ".sh", ""];

    private static readonly string[] Verbs = ["Configuration", "Demo", "Bench", ""];

    [Fact]
    public void Files_lines_and_methods_are_short()
    {
        var long_ = SourceTree.CSharp.SelectMany(file =>
        {
            var lines = file.Text.TrimEnd('\n').Split('\n');
            return lines.Select((line, i) => (line, i)).Where(pair => pair.line.Length > LineMax)
                .Select(pair => $"{file}:{pair.i + 1}: {pair.line.Length} characters, at most {LineMax}")
                .Concat(lines.Length > FileLinesMax ? [$"{file}: {lines.Length} lines, at most {FileLinesMax}"] : [])
                .Concat(CSharpText.Methods(file.Code).Where(method => method.Lines > MethodLinesMax)
                    .Select(method =>
                        $"{file}:{method.Line}: a method of {method.Lines} lines, at most {MethodLinesMax}"));
        });

        None(long_);
    }

    [Fact]
    public void No_call_is_made_that_has_a_better_replacement()
    {
        var excused = new HashSet<string>();
        var found = new List<string>();
        foreach (var (pattern, where, instead) in BannedCalls)
        {
            foreach (var file in SourceTree.CSharp.Where(file => file.IsUnder(where) && !IsVerb(file, pattern)))
            {
                var match = Regex.Match(file.Code, pattern);
                if (match.Success && Excused.Contains($"{file} {pattern}"))
                {
                    excused.Add($"{file} {pattern}");
                }
                else if (match.Success)
                {
                    found.Add($"{file}: '{match.Value}'; use {instead}");
                }
            }
        }

        None(found);
        None(Excused.Except(excused).Select(entry => $"no longer needed: {entry}"));
    }

    [Fact]
    public void No_type_is_named_for_having_no_name()
    {
        None(SourceTree.CSharp.SelectMany(file => VagueType().Matches(file.Code)
            .Where(match => !IsFrameworkName(match))
            .Select(match => $"{file}: {match.Groups[1].Value}; say what it is")));

        // The framework asks for classes that handle, and names them so.
        static bool IsFrameworkName(Match match) => match.Value.Contains("DelegatingHandler", StringComparison.Ordinal)
            || match.Value.Contains("HttpMessageHandler", StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_left_to_do_in_a_comment() =>
        None(SourceTree.CSharp.Where(file => file.Name != "TidyTests.cs" && LeftToDo().IsMatch(file.Text))
            .Select(file => $"{file}: do it, or name the issue in the documentation"));

    [Fact]
    public void Every_folder_of_the_server_says_what_it_is()
    {
        var types = SourceTree.CSharp.SelectMany(file => TypeName().Matches(file.Code))
            .Select(match => match.Groups[1].Value)
            .Concat(SourceTree.Files.SelectMany(file => file.Path.Split('/')[..^1])).ToHashSet();
        var folders = SourceTree.Server.Select(file => file.Folder).Where(folder => folder != "").Distinct();
        None(folders.SelectMany(folder =>
        {
            var path = $"src/Tenon.Server/{folder}/README.md";
            var readme = SourceTree.Files.FirstOrDefault(file => file.Path == path);
            if (readme is null)
            {
                return [$"{path} is missing: what the folder owns, its invariants, where to start"];
            }

            var lines = readme.Text.TrimEnd('\n').Split('\n').Length;
            return Quoted().Matches(readme.Text).Select(match => match.Groups[1].Value)
                .Where(name => !types.Contains(name)).Select(name => $"{path}: there is no type or folder {name}")
                .Concat(lines > ReadmeLinesMax ? [$"{path}: {lines} lines, at most {ReadmeLinesMax}"] : []);
        }));
    }

    [Fact]
    public void No_two_decisions_have_one_number() =>
        None(SourceTree.Files.Where(file => file.IsUnder("docs/decisions/") && char.IsAsciiDigit(file.Name[0]))
            .GroupBy(file => file.Name.Split('-')[0]).Where(same => same.Count() > 1)
            .Select(same => $"{same.Key}: {string.Join(", ", same)}"));

    [Fact]
    public void No_file_knows_the_machine_it_was_written_on() =>
        None(SourceTree.Files.Where(file => IsText(file) && file.Name != "TidyTests.cs")
            .Where(file => MachinePath().IsMatch(file.Text))
            .Select(file => $"{file}: {MachinePath().Match(file.Text).Value}"));

    [Fact]
    public void Lock_files_of_npm_name_no_registry() =>
        None(SourceTree.Files.Where(file => file.Name == "package-lock.json")
            .Where(file => file.Text.Contains("\"resolved\"", StringComparison.Ordinal))
            .Select(file => $"{file}: remove the 'resolved' members; the registry is the installer's choice"));

    internal static void None(IEnumerable<string> violations)
    {
        var found = violations.Order(StringComparer.Ordinal).ToList();
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    private static bool IsVerb(SourceFile file, string pattern) =>
        pattern.Contains("Console", StringComparison.Ordinal) && Verbs.Contains(file.Folder);

    private static bool IsText(SourceFile file) => TextKinds.Contains(Path.GetExtension(file.Name));

    [GeneratedRegex(@"\b(?:class|struct|record|interface)\s+"
        + @"(\w+(?:Manager|Helper|Utils?|Processor|Base|Impl|Dto|Handler))\b[^{;]*")]
    private static partial Regex VagueType();

    [GeneratedRegex(@"\b(?:class|struct|record|interface|enum)\s+(\w+)")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"`([A-Z][a-z]\w*)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("\\bTO" + "DO\\b|\\bFIX" + "ME\\b")]
    private static partial Regex LeftToDo();

    [GeneratedRegex(
        @"(?<![\w./}])/(?:work|root)/[\w.]+|https?://(?:[\w.-]*registry|[\w.-]*nexus|[\w.-]*artifactory)[\w.-]*")]
    private static partial Regex MachinePath();
}
