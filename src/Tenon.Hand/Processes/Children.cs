using System.Runtime.InteropServices;
using System.Text;

namespace Tenon.Hand.Processes;

/// <summary>A program the hand started itself.</summary>
/// <param name="Exit">Its exit status, as a shell counts: 128 + n for a death by signal n.</param>
/// <param name="IsTool">Belongs to a file tool and must survive the killing of a command.</param>
internal sealed record Child(int Pid, Task<int> Exit, bool IsTool);

/// <summary>What to start. A null descriptor is <c>/dev/null</c>.</summary>
internal sealed record ChildStart(string Path, string[] Arguments, string Directory)
{
    public int? Input { get; init; }

    public required int Output { get; init; }

    public required int Error { get; init; }

    /// <summary>A descriptor the child gets under the number <see cref="ExtraNumber"/>.</summary>
    public int? Extra { get; init; }

    public int ExtraNumber { get; init; }

    public bool IsTool { get; init; }

    /// <summary>The whole environment; null for that of all children.</summary>
    public IReadOnlyList<string>? Environment { get; init; }
}

/// <summary>
/// Starts programs, and buries every process that dies in the sandbox: the hand is its init, so orphans are its too.
/// </summary>
internal sealed unsafe class Children
{
    // Both structures of glibc are smaller (80 and 336 bytes); musl's too.
    private const int OpaqueBytes = 512;
    private const int SignalSetBytes = 128;
    private const short NewSessionSignalsAndMask = 0x80 | 0x04 | 0x08;
    private const int AnyChild = 0;
    private const int ExitedButKept = 0x4 | 0x01000000;
    private const int InfoPidOffset = 16;

    // A monitor and not a Lock, since the burying thread waits on it for a first child.
    private readonly object _gate = new();
    private readonly Dictionary<int, (Child Child, TaskCompletionSource<int> Exit)> _living = [];

    public Children() => new Thread(BuryForever, 256 * 1024) { IsBackground = true, Name = "bury" }.Start();

    public Child Start(ChildStart start)
    {
        lock (_gate)
        {
            var pid = Spawn(start);
            var exit = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            var child = new Child(pid, exit.Task, start.IsTool);
            _living.Add(pid, (child, exit));
            Monitor.Pulse(_gate);
            return child;
        }
    }

    /// <summary>Kills the child unless it is buried: its number may by then belong to another process.</summary>
    public void Kill(Child child)
    {
        lock (_gate)
        {
            if (_living.ContainsKey(child.Pid))
            {
                _ = Kernel.Kill(child.Pid, Kernel.SignalKill);
            }
        }
    }

    /// <summary>Whether it, or what began the session that it is in, belongs to a tool.</summary>
    public bool IsTool(int pid)
    {
        var session = Kernel.SessionOf(pid);
        lock (_gate)
        {
            return (_living.TryGetValue(pid, out var entry) && entry.Child.IsTool)
                || (_living.TryGetValue(session, out var leader) && leader.Child.IsTool);
        }
    }

    private void BuryForever()
    {
        var info = stackalloc byte[SignalSetBytes];
        while (true)
        {
            if (Kernel.WaitId(AnyChild, 0, info, ExitedButKept) < 0)
            {
                if (Marshal.GetLastPInvokeError() != Kernel.InterruptedCall)
                {
                    WaitForChild();
                }

                continue;
            }

            Bury(*(int*)(info + InfoPidOffset));
        }
    }

    // No child at all means no process at all: everything in the sandbox descends from one.
    private void WaitForChild()
    {
        lock (_gate)
        {
            while (_living.Count == 0)
            {
                Monitor.Wait(_gate);
            }
        }
    }

    // NOTE: the dead is looked at first and reaped under the lock, so that Kill never meets a reused number.
    private void Bury(int pid)
    {
        lock (_gate)
        {
            int status;
            if (Kernel.WaitPid(pid, &status, 0) == pid && _living.Remove(pid, out var entry))
            {
                var signal = status & 0x7f;
                entry.Exit.SetResult(signal == 0 ? (status >> 8) & 0xff : 128 + signal);
            }
        }
    }

    private static int Spawn(ChildStart start)
    {
        var actions = stackalloc byte[OpaqueBytes];
        var attributes = stackalloc byte[OpaqueBytes];
        var allSignals = stackalloc byte[SignalSetBytes];
        var noSignals = stackalloc byte[SignalSetBytes];
        new Span<byte>(allSignals, SignalSetBytes).Fill(0xff);
        new Span<byte>(noSignals, SignalSetBytes).Clear();

        _ = Kernel.ActionsInit(actions);
        _ = Kernel.AttributesInit(attributes);
        var arguments = new CStrings([start.Path, .. start.Arguments]);
        var environment = new CStrings(start.Environment ?? ShellEnvironment.Entries);
        var directory = new CStrings([start.Directory, "/dev/null"]);
        try
        {
            _ = Kernel.AttributesFlags(attributes, NewSessionSignalsAndMask);
            _ = Kernel.AttributesDefaultSignals(attributes, allSignals);
            _ = Kernel.AttributesSignalMask(attributes, noSignals);
            _ = start.Input is { } input
                ? Kernel.ActionsDuplicate(actions, input, 0)
                : Kernel.ActionsOpen(actions, 0, directory.Pointers[1], 0, 0);
            _ = Kernel.ActionsDuplicate(actions, start.Output, 1);
            _ = Kernel.ActionsDuplicate(actions, start.Error, 2);
            if (start.Extra is { } extra)
            {
                _ = Kernel.ActionsDuplicate(actions, extra, start.ExtraNumber);
            }

            _ = Kernel.ActionsChangeDirectory(actions, directory.Pointers[0]);
            int pid;
            var error = Kernel.Spawn(
                &pid, arguments.Pointers[0], actions, attributes, arguments.Pointers, environment.Pointers);
            return error == 0
                ? pid
                : throw new IOException($"cannot start {start.Path}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
        finally
        {
            _ = Kernel.ActionsDestroy(actions);
            _ = Kernel.AttributesDestroy(attributes);
            arguments.Free();
            environment.Free();
            directory.Free();
        }
    }

    /// <summary>A null-terminated array of C strings.</summary>
    private readonly struct CStrings
    {
        public readonly byte** Pointers;
        private readonly int _count;

        public CStrings(IReadOnlyList<string> values)
        {
            _count = values.Count;
            Pointers = (byte**)NativeMemory.AllocZeroed((nuint)_count + 1, (nuint)sizeof(byte*));
            for (var i = 0; i < _count; i++)
            {
                var length = Encoding.UTF8.GetByteCount(values[i]);
                Pointers[i] = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
                Encoding.UTF8.GetBytes(values[i], new Span<byte>(Pointers[i], length));
            }
        }

        public void Free()
        {
            for (var i = 0; i < _count; i++)
            {
                NativeMemory.Free(Pointers[i]);
            }

            NativeMemory.Free(Pointers);
        }
    }
}
