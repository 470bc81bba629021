using System.Text.RegularExpressions;

namespace Tenon.Conformance.Support;

/// <summary>
/// The operations that docs/compatibility.md says work, to compare with those that an SDK was seen to use.
/// </summary>
public static partial class Operations
{
    /// <summary>
    /// Those of agents, environments, sessions, events and threads, as <c>GET /v1/agents/{}</c>. Resources belong to
    /// files.
    /// </summary>
    public static IReadOnlyList<string> OfSessions { get; } =
    [
        .. Of("agents", "environments", "sessions")
            .Where(operation => !operation.EndsWith("/resources", StringComparison.Ordinal)
                && !operation.Contains("/resources/", StringComparison.Ordinal)),
    ];

    /// <summary>Those whose path begins with one of these words, in order.</summary>
    public static IReadOnlyList<string> Of(params string[] words) =>
    [
        .. Row().Matches(File.ReadAllText(Repository.PathTo("docs/compatibility.md")))
            .Where(row => words.Contains(row.Groups["word"].Value))
            .Select(row => Shape($"{row.Groups["method"].Value} {row.Groups["path"].Value}"))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The operations that these requests used, each once.</summary>
    /// <param name="requests">Method and path of each.</param>
    public static IReadOnlyList<string> Used(IEnumerable<string> requests) =>
        [.. requests.Select(Shape).Distinct().Order(StringComparer.Ordinal)];

    private static string Shape(string request) => Id().Replace(request, "{}");

    [GeneratedRegex(@"(?<=/)(\{[a-z_]+\}|(agent|env|sesn|sthr|vlt|vcrd|memstore|mem|memver)_[0-9A-Za-z]+"
        + @"|(?<=/(skills|versions)/)[^/]+)")]
    private static partial Regex Id();

    [GeneratedRegex(
        @"^\| (?<method>GET|POST|DELETE) \| `(?<path>/v1/(?<word>[a-z_]+)[^`]*)` \| works \|",
        RegexOptions.Multiline)]
    private static partial Regex Row();
}
