using Tenon.Hand.Tools;
using Tenon.Wire.Hand;

namespace Tenon.Hand.Processes;

/// <summary>
/// What a shell leaves to the next life of the sandbox: directory, variables, functions, aliases and options, in a
/// file among the session's own. Nobody but the sandbox's shell reads it, since a command may have written it.
/// </summary>
/// <remarks>
/// Options stand last, because some of them (<c>errexit</c>) would end a shell over what cannot be set again, such as
/// the variables that bash keeps to itself. A shell that has <c>errexit</c> set survives a failed save, because a
/// condition is excused from it.
/// </remarks>
internal static class ShellState
{
    private static readonly string Directory_ = Path.Combine(ShellEnvironment.Home, ".tenon");
    private static readonly string FilePath = Path.Combine(Directory_, "shell");
    private static readonly string NewPath = FilePath + ".new";

    /// <summary>Whether an earlier life has left one; looked at once, when the hand starts.</summary>
    public static bool WasKept { get; } = File.Exists(FilePath);

    /// <summary>Lines for a shell that starts. What stands for secrets is this session's, also after a fork.</summary>
    public static string Load { get; } = $"\\builtin . '{FilePath}' >/dev/null 2>&1 </dev/null\n" + string.Concat(
        ShellEnvironment.Entries
            .Where(entry => entry.Contains("=" + HandProtocol.PlaceholderPrefix, StringComparison.Ordinal))
            .Select(entry => $"\\builtin export '{entry}' >/dev/null 2>&1\n"));

    /// <summary>A command that writes the shell's state down.</summary>
    public static string Save =>
        "if { \\builtin shopt -p; \\builtin declare -f; \\builtin declare -F; \\builtin alias -p; "
        + "\\builtin declare -p; \\builtin umask -p; \\builtin printf '\\\\builtin cd -- %q\\n' \"$PWD\"; "
        + "\\builtin set +o; } "
        + $">|'{NewPath}' 2>/dev/null; then \\builtin :; fi";

    /// <summary>Before <see cref="Save"/> runs. False when there is no place for it.</summary>
    public static bool Prepare()
    {
        try
        {
            Directory.CreateDirectory(Directory_);
            File.Delete(NewPath);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk is full, or a command has put something else there: then nothing is kept.
            return false;
        }
    }

    /// <summary>After <see cref="Save"/> has run: the new state takes the place of the old one.</summary>
    public static void Keep()
    {
        try
        {
            if (new FileInfo(NewPath) is { Exists: true } written && written.Length <= ToolLimits.ShellStateBytes)
            {
                File.Move(NewPath, FilePath, overwrite: true);
            }
            else
            {
                File.Delete(NewPath);
                File.Delete(FilePath);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // As above.
        }
    }

    /// <summary>The shell was started afresh on purpose: nothing of it is left to anybody.</summary>
    public static void Drop()
    {
        try
        {
            File.Delete(FilePath);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next save replaces it.
        }
    }
}
