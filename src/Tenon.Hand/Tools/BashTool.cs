using Tenon.Hand.Processes;
using Tenon.Wire.Hand;

namespace Tenon.Hand.Tools;

/// <summary>
/// <c>bash</c>: a shell, so that its directory, variables, functions and jobs last from call to call. Calls wait for
/// each other. When a command must be killed, everything that it started is killed, what earlier commands left running
/// is not, and a fresh shell starts where the old one stood.
/// </summary>
internal sealed class BashTool : IDisposable
{
    private const string StateId = "shell-state";

    private static readonly HashSet<int> Nobody = [];

    private readonly Children _children;
    private readonly Func<BashTool, IReadOnlySet<int>> _others;
    private readonly bool _isKept;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ProcessTable _processes;
    private readonly Timer _quiet;
    private BashShell? _shell;
    private bool _isFirst = true;
    private bool _isSaved = true;
    private string _directory = Roots.Workspace;

    /// <param name="others">The shells that work beside one.</param>
    /// <param name="isKept">Whether its state is kept for the sandbox's next life.</param>
    public BashTool(Children children, Func<BashTool, IReadOnlySet<int>> others, bool isKept)
    {
        (_children, _others, _isKept) = (children, others, isKept);
        _processes = new ProcessTable(children);

        // At once, with nothing to save: so the thread that timers need is there before a command takes all others.
        _quiet = new Timer(_ => _ = Save(), null, 0, Timeout.Infinite);
    }

    /// <summary>The shell's process; null when there is none.</summary>
    public int? Pid => _shell is { Alive: true } shell ? shell.Child.Pid : null;

    public async Task<ToolAnswer> Run(ToolInput input, string toolUseId, CancellationToken cancellationToken)
    {
        var command = input.Text("command");
        var restart = input.Flag("restart");
        var timeoutMs = TimeoutOf(input);
        if (string.IsNullOrEmpty(command) && !restart)
        {
            throw new ToolFault("bash: command is required");
        }

        if (command?.Contains('\0', StringComparison.Ordinal) == true)
        {
            throw new ToolFault("bash: a command cannot contain a NUL character");
        }

        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (restart)
            {
                Kill(Nobody);
                if (_isKept)
                {
                    ShellState.Drop();
                }

                (_isFirst, _isSaved) = (false, true);
                _directory = Roots.Workspace;
            }

            return string.IsNullOrEmpty(command)
                ? ToolAnswer.Ok("bash session restarted")
                : await RunCommand(command, timeoutMs, toolUseId, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Keeps the shell's state for the sandbox's next life, if a command has run since it was kept.</summary>
    public async Task Save()
    {
        await _turn.WaitAsync();
        try
        {
            if (!_isKept || _isSaved || _shell is not { Alive: true } shell || !ShellState.Prepare())
            {
                return;
            }

            _isSaved = true;
            using var output = new CommandOutput(StateId);
            var deadline = Environment.TickCount64 + ToolLimits.BashTimeoutMs;
            var (end, _) = await shell.Run(new ShellCommand(
                ShellState.Save, output, deadline, CancellationToken.None));
            if (end == CommandEnd.Finished)
            {
                ShellState.Keep();
            }
            else
            {
                // What a command has made of the shell holds it up, so it is of no use to a command either.
                Kill(ProcessTable.Snapshot());
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose()
    {
        _quiet.Dispose();
        _turn.Dispose();
    }

    private static int TimeoutOf(ToolInput input)
    {
        var asked = input.Number("timeout_ms");
        return asked switch
        {
            0 => ToolLimits.BashTimeoutMs,
            < 0 or > ToolLimits.BashTimeoutMsMax => throw new ToolFault(
                $"bash: timeout_ms must be between 1 and {ToolLimits.BashTimeoutMsMax}, or 0 for the default"),
            _ => (int)asked,
        };
    }

    private async Task<ToolAnswer> RunCommand(
        string command, int timeoutMs, string toolUseId, CancellationToken cancellationToken)
    {
        if (_shell is not { Alive: true })
        {
            _shell?.Close();
            _shell = new BashShell(_children, Directory.Exists(_directory) ? _directory : Roots.Workspace,
                _isKept && _isFirst && ShellState.WasKept ? ShellState.Load : "");
            _isFirst = false;
        }

        var before = ProcessTable.Snapshot();
        using var output = new CommandOutput(toolUseId);
        var deadline = Environment.TickCount64 + timeoutMs;
        var (end, status) = await _shell.Run(new ShellCommand(command, output, deadline, cancellationToken));
        if (end == CommandEnd.Finished)
        {
            _directory = _shell.LastDirectory;
            _isSaved = false;
            _quiet.Change(ToolLimits.ShellQuiet, Timeout.InfiniteTimeSpan);
            return Answer(output.Text(), status);
        }

        // The directory is asked from the process while it is still there.
        _directory = DirectoryOf(_shell.Child.Pid) ?? _directory;
        var fate = end switch
        {
            CommandEnd.Cancelled => HandProtocol.Interrupted,
            CommandEnd.TimedOut => $"bash: timed out after {timeoutMs} ms; the command and all it started were killed.",
            _ => $"bash: the shell exited with status {status}.",
        };
        if (end == CommandEnd.ShellExited)
        {
            // What an `exit` leaves in the background was meant to stay, as after any other command.
            _shell.Close();
            _shell = null;
        }
        else
        {
            before.Remove(_shell.Child.Pid);
            Kill(before);
        }

        var note = $"{fate} A new shell starts in {_directory}; variables and functions are lost.";
        var text = output.Text();
        var whole = text.Length == 0 ? note : $"{text}\n{note}";
        return end == CommandEnd.ShellExited && status == 0 ? ToolAnswer.Ok(whole) : ToolAnswer.Error(whole);
    }

    private static ToolAnswer Answer(string text, int status) => status switch
    {
        0 => ToolAnswer.Ok(text),
        _ => ToolAnswer.Error(text.Length == 0 ? $"exit {status}" : text),
    };

    private void Kill(IReadOnlySet<int> spared)
    {
        if (_shell is { } shell)
        {
            // First the shell, which would go on to the rest of its command.
            _children.Kill(shell.Child);
            shell.Close();
            _shell = null;
        }

        _processes.KillAllBut(spared, _others(this));
    }

    private static string? DirectoryOf(int pid)
    {
        try
        {
            return Directory.ResolveLinkTarget($"/proc/{pid}/cwd", false)?.FullName;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The process is gone; the directory after the last command stands.
            return null;
        }
    }
}
