using System.Text;
using System.Text.RegularExpressions;
using Tenon.Hand.Processes;

namespace Tenon.Hand.Tools;

/// <summary><c>glob</c>: files whose path matches, newest first. <c>**</c> is any number of directories.</summary>
internal static class GlobTool
{
    // Among those changed at the same time, the first in the alphabet counts as the newest.
    private static readonly Comparer<(DateTime Changed, string Path)> OldestFirst = Comparer<(DateTime, string)>.Create(
        (a, b) => a.Item1 != b.Item1 ? a.Item1.CompareTo(b.Item1) : string.CompareOrdinal(b.Item2, a.Item2));

    private static readonly TimeSpan MatchTime = TimeSpan.FromSeconds(1);

    public static ToolAnswer Run(ToolInput input, CancellationToken cancellationToken)
    {
        var pattern = input.Required("pattern");
        if (pattern.StartsWith('/') || pattern.Split('/', '\\', '{', '}', ',').Contains(".."))
        {
            throw new ToolFault("glob: the pattern must be relative and without ..; give the directory as path");
        }

        var shown = input.Text("path") is { Length: > 0 } path ? path : Roots.Workspace;
        var root = Roots.Resolve("glob", shown);
        if (!Directory.Exists(root))
        {
            throw new ToolFault($"glob: {shown} is not a directory");
        }

        var matcher = Matcher(pattern);
        var newest = new PriorityQueue<(DateTime Changed, string Path), (DateTime, string)>(OldestFirst);
        foreach (var file in TreeWalk.Files(root, cancellationToken))
        {
            if (matcher.IsMatch(Path.GetRelativePath(root, file.FullName)) && Kernel.IsRegularFile(file.FullName))
            {
                var match = (file.LastWriteTimeUtc, file.FullName);
                newest.Enqueue(match, match);
                if (newest.Count > ToolLimits.GlobPaths)
                {
                    // Only so many are kept at any time: a tree may have any number.
                    newest.Dequeue();
                }
            }
        }

        return ToolAnswer.Ok(newest.Count == 0 ? "no matches" : string.Join('\n', NewestFirst(newest)));
    }

    private static string[] NewestFirst(
        PriorityQueue<(DateTime Changed, string Path), (DateTime, string)> found)
    {
        var paths = new string[found.Count];
        for (var i = paths.Length - 1; i >= 0; i--)
        {
            paths[i] = found.Dequeue().Path;
        }

        return paths;
    }

    private static Regex Matcher(string pattern)
    {
        var depth = 0;
        var regex = new StringBuilder("^");
        for (var i = 0; i < pattern.Length; i++)
        {
            var rest = pattern.AsSpan(i);
            if (rest.StartsWith("**/"))
            {
                regex.Append("(?:[^/]+/)*");
                i += 2;
            }
            else if (rest.StartsWith("**"))
            {
                regex.Append(".*");
                i += 1;
            }
            else
            {
                i += Single(rest, regex, ref depth);
            }
        }

        try
        {
            return new Regex(regex.Append('$').ToString(), RegexOptions.CultureInvariant, MatchTime);
        }
        catch (ArgumentException)
        {
            // The only translations that are no regular expression come from unbalanced braces or brackets.
            throw new ToolFault($"glob: {pattern} is not a valid pattern");
        }
    }

    /// <summary>
    /// Translates what stands at the start of <paramref name="rest"/>; answers how much more it took.
    /// </summary>
    private static int Single(ReadOnlySpan<char> rest, StringBuilder regex, ref int depth)
    {
        switch (rest[0])
        {
            case '*':
                regex.Append("[^/]*");
                return 0;
            case '?':
                regex.Append("[^/]");
                return 0;
            case '{':
                depth++;
                regex.Append("(?:");
                return 0;
            case '}' when depth > 0:
                depth--;
                regex.Append(')');
                return 0;
            case ',' when depth > 0:
                regex.Append('|');
                return 0;
            case '[' when rest.IndexOf(']') is > 1 and var close:
                var inside = rest[1..close].ToString().Replace("\\", "\\\\", StringComparison.Ordinal);
                regex.Append('[').Append(inside[0] == '!' ? "^" + inside[1..] : inside).Append(']');
                return close;
            default:
                regex.Append(Regex.Escape(rest[0].ToString()));
                return 0;
        }
    }
}
