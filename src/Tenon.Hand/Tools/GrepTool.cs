using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Tenon.Hand.Processes;

namespace Tenon.Hand.Tools;

/// <summary>
/// <c>grep</c>: lines that match a regular expression, by ripgrep where the sandbox has it and it can.
/// </summary>
internal sealed class GrepTool(Children children)
{
    private static readonly string? Ripgrep = ShellEnvironment.Find("rg");

    public ToolAnswer Run(ToolInput input, CancellationToken cancellationToken)
    {
        var pattern = input.Required("pattern");
        var shown = input.Text("path") is { Length: > 0 } path ? path : Roots.Workspace;
        var root = Roots.Resolve("grep", shown);
        if (!Directory.Exists(root) && !File.Exists(root))
        {
            throw new ToolFault($"grep: {shown}: no such file or directory");
        }

        if (!Directory.Exists(root) && !Kernel.IsRegularFile(root))
        {
            throw new ToolFault($"grep: {shown} is not a regular file");
        }

        // What ripgrep does not know, such as looking ahead, the own search may.
        var answer = Ripgrep is { } program
            ? new RipgrepRun(children).Run(program, pattern, root, cancellationToken)
            : null;
        return answer ?? Walk(pattern, root, cancellationToken);
    }

    private static ToolAnswer Walk(string pattern, string root, CancellationToken cancellationToken)
    {
        var regex = Compile(pattern);
        var found = new StringBuilder();
        var deadline = Environment.TickCount64 + (long)ToolLimits.GrepTime.TotalMilliseconds;
        var files = File.Exists(root) ? [new FileInfo(root)] : TreeWalk.Files(root, cancellationToken);
        try
        {
            foreach (var file in files.Where(file => Kernel.IsRegularFile(file.FullName)))
            {
                if (!Search(file, regex, found, GoOn))
                {
                    return ToolAnswer.Ok(found.ToString());
                }
            }
        }
        catch (TimeoutException)
        {
            // From GoOn, out of the middle of a large file.
            return ToolAnswer.Error($"{found}grep: stopped after {ToolLimits.GrepTime.TotalSeconds} s");
        }

        return ToolAnswer.Ok(found.Length == 0 ? "no matches" : found.ToString().TrimEnd('\n'));

        void GoOn()
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Environment.TickCount64 > deadline)
            {
                throw new TimeoutException();
            }
        }
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, ToolLimits.GrepLineTime);
        }
        catch (ArgumentException exception)
        {
            // The pattern is the model's; what is wrong with it is its answer.
            throw new ToolFault($"grep: the pattern is not a valid regular expression: {exception.Message}");
        }
    }

    /// <summary>False when the answer is full.</summary>
    private static bool Search(FileInfo file, Regex regex, StringBuilder found, Action goOn)
    {
        try
        {
            goOn();
            using var lines = new TextLines(file.FullName, ToolLimits.GrepLineChars, goOn);
            while (lines.Next())
            {
                if (lines.Line is not { } line || !regex.IsMatch(line))
                {
                    continue;
                }

                if (found.Length + line.Length + file.FullName.Length > ToolLimits.GrepOutputBytes)
                {
                    found.Append(RipgrepRun.Cut);
                    return false;
                }

                found.Append(CultureInfo.InvariantCulture, $"{file.FullName}:{lines.Number}:{line}\n");
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A file that cannot be read has no matches; ripgrep goes on as well.
        }
        catch (RegexMatchTimeoutException)
        {
            throw new ToolFault($"grep: the pattern took too long on a line of {file.FullName}; make it simpler");
        }

        return true;
    }
}
