using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tenon.Hand.Processes;
using Tenon.Hand.Tools;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>
/// A program whose ends are a connection of the server's: what comes there is its input, and what it writes goes back
/// in pieces. One thread moves both, and holds one piece of each; what nobody takes makes the writer wait.
/// </summary>
internal sealed unsafe class ProgramRelay
{
    private const int SetStatusFlags = 4;
    private const nint PidDescriptorOpen = 434;
    private const int LengthBytes = 4;
    private const int InvalidDescriptor = -1;

    /// <summary>What is still read of a program that has ended: its children may write for ever.</summary>
    private const int LastPiecesMax = 512;

    // The limits of a command; and the kernel shall take it, and not the hand, when memory runs out.
    private const string Prologue = "echo 500 2>/dev/null >/proc/self/oom_score_adj; ";

    private static int _running;

    private readonly ProcessTable _processes;
    private readonly Child _child;
    private readonly int _input;
    private readonly int _output;
    private readonly int _errors;
    private readonly int _death;
    private readonly byte[] _piece = new byte[LengthBytes + HandProtocol.PieceBytesMax];
    private readonly byte[] _given = new byte[HandProtocol.PieceBytesMax];
    private readonly List<byte> _lastWords = [];
    private ReadOnlyMemory<byte> _unsent;
    private bool _hasInput = true;

    private ProgramRelay(Children children, HandProgram program)
    {
        _processes = new ProcessTable(children);
        (int Read, int Write)[] pipes = [Pipe(), Pipe(), Pipe()];
        try
        {
            _child = children.Start(new ChildStart(
                "/bin/bash", ["--noprofile", "--norc", "-c", Script, "bash", program.Command, .. program.Arguments],
                Roots.Workspace)
            {
                Input = pipes[0].Read,
                Output = pipes[1].Write,
                Error = pipes[2].Write,
                IsTool = true,
                Environment = [.. Environment(program)],
            });
        }
        catch (IOException)
        {
            foreach (var (read, write) in pipes)
            {
                _ = Kernel.Close(read);
                _ = Kernel.Close(write);
            }

            throw;
        }

        _ = Kernel.Close(pipes[0].Read);
        _ = Kernel.Close(pipes[1].Write);
        _ = Kernel.Close(pipes[2].Write);
        (_input, _output, _errors) = (pipes[0].Write, pipes[1].Read, pipes[2].Read);
        foreach (var end in (ReadOnlySpan<int>)[_input, _output, _errors])
        {
            _ = Kernel.FileControl(end, SetStatusFlags, Kernel.NonBlocking);
        }

        _death = (int)Kernel.SystemCall(PidDescriptorOpen, _child.Pid, 0);
    }

    private static string Script => Prologue
        + (BashShell.ProcessesMax > 0 ? $"ulimit -u {BashShell.ProcessesMax}; " : "") + "exec -- \"$@\"";

    /// <exception cref="IOException">It cannot be started, or as many run as may.</exception>
    public static ProgramRelay Start(Children children, HandProgram program)
    {
        try
        {
            return Interlocked.Increment(ref _running) <= HandProtocol.ProgramsMax
                ? new ProgramRelay(children, program)
                : throw new IOException($"{HandProtocol.ProgramsMax} programs run already");
        }
        catch (IOException)
        {
            Interlocked.Decrement(ref _running);
            throw;
        }
    }

    /// <summary>Serves until one side has ended; then the program and all in its session are dead.</summary>
    /// <returns>How it ended.</returns>
    public HandReply Serve(Socket server)
    {
        try
        {
            Relay(server);
            Finish(server);
        }
        catch (SocketException)
        {
            // The server is gone, and with it whom the program was for.
        }

        CloseInput();
        var death = new Kernel.PollEntry { Descriptor = _death, Events = Kernel.PollIn };
        _ = Kernel.Poll(&death, 1, (int)ToolLimits.ProgramEnd.TotalMilliseconds);
        _processes.KillSession(_child);
        foreach (var end in (ReadOnlySpan<int>)[_output, _errors, _death])
        {
            _ = Kernel.Close(end);
        }

        Interlocked.Decrement(ref _running);
        return new HandReply
        {
            Id = 0, Status = _child.Exit.GetAwaiter().GetResult(),
            Text = Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(_lastWords)),
        };
    }

    /// <summary>Moves bytes until the server's end, the output's end, or the program's.</summary>
    private void Relay(Socket server)
    {
        var entries = stackalloc Kernel.PollEntry[5];
        var errors = _errors;
        while (true)
        {
            // A server that has hung up is seen also while its words wait: that needs not to be asked for.
            entries[0] = new()
            {
                Descriptor = (int)server.Handle, Events = (short)(_unsent.IsEmpty ? Kernel.PollIn : 0),
            };
            entries[1] = new() { Descriptor = _unsent.IsEmpty ? InvalidDescriptor : _input, Events = Kernel.PollOut };
            entries[2] = new() { Descriptor = _output, Events = Kernel.PollIn };
            entries[3] = new() { Descriptor = errors, Events = Kernel.PollIn };
            entries[4] = new() { Descriptor = _death, Events = Kernel.PollIn };
            if (Kernel.Poll(entries, 5, -1) < 0)
            {
                // Interrupted: what the entries say is from the time before.
                continue;
            }

            if (entries[3].Returned != 0 && !TakeError())
            {
                errors = InvalidDescriptor;
            }

            if ((entries[2].Returned != 0 && !SendOutput(server)) || entries[4].Returned != 0
                || (entries[0].Returned != 0 && !TakeInput(server)))
            {
                return;
            }

            if (entries[1].Returned != 0)
            {
                Give();
            }
        }
    }

    /// <summary>What is left in the pipes, and the end.</summary>
    private void Finish(Socket server)
    {
        for (var pieces = 0; pieces < LastPiecesMax && HasBytes(_output) && SendOutput(server); pieces++)
        {
        }

        for (var pieces = 0; pieces < LastPiecesMax && HasBytes(_errors) && TakeError(); pieces++)
        {
        }

        Move(server, new byte[LengthBytes]);
    }

    private static bool HasBytes(int descriptor)
    {
        var entry = new Kernel.PollEntry { Descriptor = descriptor, Events = Kernel.PollIn };
        return Kernel.Poll(&entry, 1, 0) > 0 && (entry.Returned & Kernel.PollIn) != 0;
    }

    /// <summary>False at the server's end.</summary>
    private bool TakeInput(Socket server)
    {
        if (!_unsent.IsEmpty)
        {
            return false;
        }

        var count = server.Receive(_given);
        _unsent = _hasInput ? _given.AsMemory(0, count) : default;
        Give();
        return count > 0;
    }

    private void Give()
    {
        while (!_unsent.IsEmpty)
        {
            fixed (byte* bytes = _unsent.Span)
            {
                var count = Kernel.Write(_input, bytes, _unsent.Length);
                if (count < 0)
                {
                    if (Marshal.GetLastPInvokeError() != Kernel.WouldBlock)
                    {
                        // It reads no more. What it still has to say is waited for.
                        CloseInput();
                    }

                    return;
                }

                _unsent = _unsent[(int)count..];
            }
        }
    }

    private void CloseInput()
    {
        _unsent = default;
        if (_hasInput)
        {
            _hasInput = false;
            _ = Kernel.Close(_input);
        }
    }

    /// <summary>False at the output's end.</summary>
    private bool SendOutput(Socket server)
    {
        fixed (byte* bytes = _piece)
        {
            var count = (int)Kernel.Read(_output, bytes + LengthBytes, HandProtocol.PieceBytesMax);
            if (count <= 0)
            {
                return count < 0 && Marshal.GetLastPInvokeError() is Kernel.WouldBlock or Kernel.InterruptedCall;
            }

            BinaryPrimitives.WriteInt32LittleEndian(_piece, count);
            Move(server, _piece.AsSpan(0, LengthBytes + count));
            return true;
        }
    }

    /// <summary>Keeps the newest words. False at the end of the error output.</summary>
    private bool TakeError()
    {
        const int ChunkBytes = 4 * 1024;
        var chunk = stackalloc byte[ChunkBytes];
        var count = (int)Kernel.Read(_errors, chunk, ChunkBytes);
        if (count <= 0)
        {
            return count < 0 && Marshal.GetLastPInvokeError() is Kernel.WouldBlock or Kernel.InterruptedCall;
        }

        _lastWords.AddRange(new ReadOnlySpan<byte>(chunk, count));
        _lastWords.RemoveRange(0, Math.Max(0, _lastWords.Count - ToolLimits.ProgramErrorBytes));
        return true;
    }

    private static void Move(Socket server, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[server.Send(bytes)..];
        }
    }

    private static IEnumerable<string> Environment(HandProgram program) =>
    [
        .. ShellEnvironment.Entries.Where(entry => !program.Environment.ContainsKey(entry[..entry.IndexOf('=')])),
        .. program.Environment.Select(variable => $"{variable.Key}={variable.Value}"),
    ];

    private static (int Read, int Write) Pipe()
    {
        var ends = stackalloc int[2];
        return Kernel.Pipe(ends, Kernel.CloseOnExec) == 0
            ? (ends[0], ends[1])
            : throw new IOException($"no pipe: {Marshal.GetLastPInvokeErrorMessage()}");
    }
}
