using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text;
using Tenon.Hand.Tools;

namespace Tenon.Hand.Processes;

/// <summary>How a command ended.</summary>
internal enum CommandEnd
{
    Finished,
    ShellExited,
    TimedOut,
    Cancelled,
}

/// <summary>One command under way in the shell.</summary>
internal sealed record ShellCommand(string Text, CommandOutput Output, long DeadlineMs, CancellationToken Cancelled)
{
    public TaskCompletionSource<(CommandEnd End, int Status)> Done { get; } =
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>
/// One life of the persistent bash. It reads commands from a pipe as a script, and says on a descriptor of its own
/// that a command has ended; commands do not get that descriptor, so no output can pretend to be the end.
/// </summary>
/// <remarks>
/// One thread owns the pipes. It also empties the output between commands, or a background job would block on a
/// full pipe; such output belongs to no call and is dropped.
/// </remarks>
internal sealed class BashShell
{
    // Above what scripts use by hand, below the 1024 the sandbox allows.
    private const int MarkerNumber = 250;
    private const int ReadChunkBytes = 64 * 1024;
    private const int MarkerBytesMax = 16 * 1024;
    private const int PipeUnreadBytes = 0x541B;
    private const int SetStatusFlags = 4;
    private const nint PidDescriptorOpen = 434;

    // When memory runs out, the kernel shall take a command and not the hand; what the shell starts inherits this.
    private const string Prologue = "\\builtin echo 500 2>/dev/null >/proc/self/oom_score_adj\n";

    private readonly int _commands;
    private readonly int _output;
    private readonly int _marker;
    private readonly int _wake;
    private readonly int _death;
    private readonly Child _child;
    private readonly Lock _gate = new();
    private readonly string _nonce = Guid.NewGuid().ToString("N");
    private readonly byte[] _chunk = new byte[ReadChunkBytes];
    private readonly List<byte> _markerText = [];
    private ShellCommand? _next;
    private ShellCommand? _current;
    private ReadOnlyMemory<byte> _unsent;
    private string _prologue = ProcessesMax > 0 ? $"{Prologue}\\builtin ulimit -u {ProcessesMax}\n" : Prologue;
    private volatile bool _closed;
    private bool _released;

    /// <summary>What commands may have at once; 0 sets no limit.</summary>
    public static uint ProcessesMax { get; set; }

    /// <param name="load">What it does before its first command.</param>
    public BashShell(Children children, string directory, string load)
    {
        _prologue += load;
        var commands = Pipe();
        var output = Pipe();
        var marker = Pipe();
        _child = children.Start(new ChildStart("/bin/bash", ["--noprofile", "--norc"], directory)
        {
            Input = commands.Read,
            Output = output.Write,
            Error = output.Write,
            Extra = marker.Write,
            ExtraNumber = MarkerNumber,
        });
        (_commands, _output, _marker) = (commands.Write, output.Read, marker.Read);
        _ = Kernel.Close(commands.Read);
        _ = Kernel.Close(output.Write);
        _ = Kernel.Close(marker.Write);
        _ = Kernel.FileControl(_commands, SetStatusFlags, Kernel.NonBlocking);
        _ = Kernel.FileControl(_output, SetStatusFlags, Kernel.NonBlocking);
        _ = Kernel.FileControl(_marker, SetStatusFlags, Kernel.NonBlocking);
        _wake = Kernel.EventDescriptor(0, Kernel.CloseOnExec | Kernel.NonBlocking);
        _death = (int)Kernel.SystemCall(PidDescriptorOpen, _child.Pid, 0);
        LastDirectory = directory;
        new Thread(Serve, 256 * 1024) { IsBackground = true, Name = "bash" }.Start();
    }

    public Child Child => _child;

    /// <summary>Where the shell stood after its last command.</summary>
    public string LastDirectory { get; private set; }

    public bool Alive => !_closed && !_child.Exit.IsCompleted;

    /// <summary>
    /// Runs a command. After any end but <see cref="CommandEnd.Finished"/> the shell is of no more use.
    /// </summary>
    public async Task<(CommandEnd End, int Status)> Run(ShellCommand command)
    {
        lock (_gate)
        {
            _next = command;
            Wake();
        }

        await using var registration = command.Cancelled.UnsafeRegister(_ => { lock (_gate) { Wake(); } }, null);
        return await command.Done.Task;
    }

    /// <summary>Ends the thread and closes the pipes; the caller has killed the process.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Wake();
        }
    }

    private unsafe void Wake()
    {
        if (!_released)
        {
            ulong one = 1;
            _ = Kernel.Write(_wake, (byte*)&one, sizeof(ulong));
        }
    }

    private unsafe void Serve()
    {
        var entries = stackalloc Kernel.PollEntry[5];
        var dead = false;
        while (!_closed)
        {
            entries[0] = new() { Descriptor = _wake, Events = Kernel.PollIn };
            entries[1] = new() { Descriptor = _output, Events = Kernel.PollIn };
            entries[2] = new() { Descriptor = _marker, Events = Kernel.PollIn };
            entries[3] = new() { Descriptor = dead ? -1 : _death, Events = Kernel.PollIn };
            entries[4] = new() { Descriptor = _unsent.IsEmpty ? -1 : _commands, Events = Kernel.PollOut };
            var wait = _current is { } running
                ? (int)Math.Clamp(running.DeadlineMs - Environment.TickCount64, 0, int.MaxValue)
                : -1;
            _ = Kernel.Poll(entries, 5, wait);
            TakeNext(entries[0].Returned != 0);
            if (entries[1].Returned != 0)
            {
                ReadOutput(ReadChunkBytes);
            }

            Send();
            if (entries[2].Returned != 0)
            {
                ReadMarker();
            }

            if (entries[3].Returned != 0)
            {
                dead = true;
                DrainOutput();
                End(CommandEnd.ShellExited, _child.Exit.GetAwaiter().GetResult());
            }

            CheckTime();
        }

        End(CommandEnd.ShellExited, 128 + Kernel.SignalKill);
        Release();
    }

    private unsafe void TakeNext(bool woken)
    {
        if (!woken)
        {
            return;
        }

        ulong count;
        _ = Kernel.Read(_wake, (byte*)&count, sizeof(ulong));
        lock (_gate)
        {
            if (_next is not { } next)
            {
                return;
            }

            (_current, _next) = (next, null);
        }

        DrainDropped();
        _unsent = Encoding.UTF8.GetBytes(_prologue + Script(_current.Text));
        _prologue = "";
        if (_child.Exit.IsCompleted)
        {
            End(CommandEnd.ShellExited, _child.Exit.Result);
        }
    }

    // `eval` with the command as one quoted word: what is wrong in the command cannot reach past it, and
    // a `break` in it has no loop of ours to leave. The braces keep `set -x` from tracing our own line.
    private string Script(string command) =>
        $"\\builtin eval -- '{command.Replace("'", "'\\''", StringComparison.Ordinal)}' </dev/null {MarkerNumber}>&-; "
        + $"{{ \\builtin printf '%s %d %s\\0' {_nonce} \"$?\" \"$PWD\" >&{MarkerNumber}; }} 2>/dev/null\n";

    private unsafe void Send()
    {
        while (!_unsent.IsEmpty)
        {
            fixed (byte* bytes = _unsent.Span)
            {
                var sent = Kernel.Write(_commands, bytes, _unsent.Length);
                if (sent < 0)
                {
                    // A full pipe is tried again when there is room; a broken one means that the shell is dead,
                    // which its own descriptor tells.
                    if (Marshal.GetLastPInvokeError() != Kernel.WouldBlock)
                    {
                        _unsent = default;
                    }

                    return;
                }

                _unsent = _unsent[(int)sent..];
            }
        }
    }

    private unsafe bool ReadOutput(int most)
    {
        fixed (byte* chunk = _chunk)
        {
            var count = Kernel.Read(_output, chunk, most);
            if (count <= 0)
            {
                return false;
            }

            _current?.Output.Append(_chunk.AsSpan(0, (int)count));
            return true;
        }
    }

    /// <summary>
    /// Takes what is in the pipe now and no more: all that the command itself wrote is there, and a background job
    /// that writes for ever must not hold the call.
    /// </summary>
    private unsafe void DrainOutput()
    {
        int unread;
        if (Kernel.DeviceControl(_output, PipeUnreadBytes, &unread) != 0)
        {
            return;
        }

        while (unread > 0)
        {
            var most = Math.Min(unread, ReadChunkBytes);
            if (!ReadOutput(most))
            {
                return;
            }

            unread -= most;
        }
    }

    private void DrainDropped()
    {
        var current = _current;
        _current = null;
        DrainOutput();
        _current = current;
    }

    private unsafe void ReadMarker()
    {
        var buffer = stackalloc byte[1024];
        nint count;
        while ((count = Kernel.Read(_marker, buffer, 1024)) > 0)
        {
            _markerText.AddRange(new ReadOnlySpan<byte>(buffer, (int)count));
            if (_markerText.Count > MarkerBytesMax)
            {
                _markerText.RemoveRange(0, _markerText.Count - MarkerBytesMax);
            }
        }

        var span = CollectionsMarshal.AsSpan(_markerText);
        var start = span.IndexOf(Encoding.ASCII.GetBytes(_nonce));
        var end = start < 0 ? -1 : span[start..].IndexOf((byte)0);
        if (end < 0)
        {
            return;
        }

        var marker = span.Slice(start + _nonce.Length + 1, end - _nonce.Length - 1);
        if (Utf8Parser.TryParse(marker, out int status, out var used))
        {
            LastDirectory = Encoding.UTF8.GetString(marker[(used + 1)..]);
            DrainOutput();
            End(CommandEnd.Finished, status);
        }

        _markerText.Clear();
    }

    private void CheckTime()
    {
        if (_current is not { } running)
        {
            return;
        }

        if (running.Cancelled.IsCancellationRequested)
        {
            DrainOutput();
            End(CommandEnd.Cancelled, 0);
        }
        else if (Environment.TickCount64 >= running.DeadlineMs)
        {
            DrainOutput();
            End(CommandEnd.TimedOut, 0);
        }
    }

    private void End(CommandEnd end, int status)
    {
        ShellCommand? waiting;
        lock (_gate)
        {
            waiting = _closed ? _next : null;
        }

        var ended = _current;
        _current = null;
        _unsent = default;
        ended?.Done.TrySetResult((end, status));
        waiting?.Done.TrySetResult((end, status));
    }

    private void Release()
    {
        lock (_gate)
        {
            _released = true;
            foreach (var descriptor in (ReadOnlySpan<int>)[_commands, _output, _marker, _wake, _death])
            {
                _ = Kernel.Close(descriptor);
            }
        }
    }

    private static unsafe (int Read, int Write) Pipe()
    {
        var ends = stackalloc int[2];
        return Kernel.Pipe(ends, Kernel.CloseOnExec) == 0
            ? (ends[0], ends[1])
            : throw new IOException($"no pipe: {Marshal.GetLastPInvokeErrorMessage()}");
    }
}
