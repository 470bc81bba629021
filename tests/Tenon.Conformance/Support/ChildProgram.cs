using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Tenon.Conformance.Support;

/// <summary>A program started by a test: its output is kept for failure messages, and it ends with the test.</summary>
public sealed class ChildProgram : IAsyncDisposable
{
    /// <summary>A program of these tests takes seconds; one that hangs should fail with what it said.</summary>
    private static readonly TimeSpan RunTime = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Action<string> _onLine;

    private ChildProgram(ProcessStartInfo start, Action<string> onLine)
    {
        _onLine = onLine;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Pid => _process.Id;

    /// <summary>Completes when it has ended by itself, or was ended.</summary>
    public Task Exited => _process.WaitForExitAsync(CancellationToken.None);

    /// <summary>Everything that it has written so far, to either stream.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>
    /// Starts it with this process's variables, but without those that would lead it to another model service or to
    /// another server, and with the given ones.
    /// </summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="onLine">Called with each line it writes.</param>
    public static ChildProgram Start(
        IReadOnlyList<string> command, string folder, IReadOnlyDictionary<string, string> variables,
        Action<string>? onLine = null)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(IsOurs).ToList())
        {
            start.Environment.Remove(name);
        }

        // A proxy that the machine uses for the world must not get what is meant for loopback.
        foreach (var name in (string[])["NO_PROXY", "no_proxy"])
        {
            start.Environment[name] =
                start.Environment.TryGetValue(name, out var hosts) ? $"{hosts},{Loopback.Hosts}" : Loopback.Hosts;
        }

        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        return new ChildProgram(start, onLine ?? (_ => { }));
    }

    /// <summary>Runs it to its end and returns what it wrote.</summary>
    public static async Task<(int ExitCode, string Output)> Run(
        IReadOnlyList<string> command, string folder, IReadOnlyDictionary<string, string> variables,
        CancellationToken cancellationToken)
    {
        await using var program = Start(command, folder, variables);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(RunTime);
        try
        {
            await program._process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{string.Join(' ', command)} did not end. It said:\n{program.Output}");
        }

        return (program._process.ExitCode, program.Output);
    }

    /// <summary>Ends it at once (SIGKILL) and waits until it is gone.</summary>
    public async Task Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: false);
        }

        await _process.WaitForExitAsync(CancellationToken.None);
    }

    /// <summary>Asks it to end (SIGTERM), waits until it has, and returns its exit code.</summary>
    public async Task<int> Terminate(TimeSpan within)
    {
        using var kill = Process.Start("kill", ["-TERM", Pid.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(CancellationToken.None);
        await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(within);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private static bool IsOurs(string name) =>
        name.StartsWith("ANTHROPIC_", StringComparison.Ordinal)
        || name.StartsWith("OPENAI_", StringComparison.Ordinal)
        || name.StartsWith("TENON_", StringComparison.Ordinal);

    private void Take(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        _onLine(line);
    }
}
