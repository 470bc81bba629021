using System.Text;
using Tenon.Hand.Processes;

namespace Tenon.Hand.Tools;

/// <summary>One run of ripgrep, bounded in output and time.</summary>
internal sealed unsafe class RipgrepRun(Children children)
{
    public static readonly string Cut = $"[output truncated at {ToolLimits.GrepOutputBytes} bytes]";

    private const int ErrorBytesMax = 4 * 1024;
    private const int NothingFound = 1;

    private readonly byte[] _chunk = new byte[16 * 1024];

    public ToolAnswer Run(string program, string pattern, string root, CancellationToken cancellationToken)
    {
        var output = Pipe();
        var errors = Pipe();
        var child = children.Start(new ChildStart(program, Arguments(pattern, root), Roots.Workspace)
        {
            Output = output.Write,
            Error = errors.Write,
            IsTool = true,
        });
        _ = Kernel.Close(output.Write);
        _ = Kernel.Close(errors.Write);
        using var registration = cancellationToken.UnsafeRegister(_ => children.Kill(child), null);
        var found = new MemoryStream();
        var complaint = new MemoryStream();
        var inTime = Collect(output.Read, errors.Read, found, complaint);
        children.Kill(child);
        _ = Kernel.Close(output.Read);
        _ = Kernel.Close(errors.Read);
        var status = child.Exit.GetAwaiter().GetResult();
        cancellationToken.ThrowIfCancellationRequested();
        return Answer(found, complaint, inTime, status);
    }

    private static string[] Arguments(string pattern, string root) =>
    [
        "--no-config", "-n", "-H", "--no-heading", "--color", "never",
        "--max-columns", $"{ToolLimits.GrepLineChars}", "-e", pattern, "--", root,
    ];

    private static ToolAnswer Answer(MemoryStream found, MemoryStream complaint, bool inTime, int status)
    {
        var text = Encoding.UTF8.GetString(found.GetBuffer(), 0, (int)found.Length);
        if (found.Length >= ToolLimits.GrepOutputBytes)
        {
            return ToolAnswer.Ok($"{text}\n{Cut}");
        }

        if (!inTime)
        {
            return ToolAnswer.Error($"{text}grep: stopped after {ToolLimits.GrepTime.TotalSeconds} s");
        }

        // Ripgrep also complains when it found something but could not read one file among many.
        return text.Length > 0 ? ToolAnswer.Ok(text.TrimEnd('\n'))
            : status is 0 or NothingFound ? ToolAnswer.Ok("no matches")
            : ToolAnswer.Error(
                "grep: " + Encoding.UTF8.GetString(complaint.GetBuffer(), 0, (int)complaint.Length).Trim());
    }

    /// <summary>
    /// Reads both pipes to their ends, the answer's limit, or the time limit, for which it answers false.
    /// </summary>
    private bool Collect(int output, int errors, MemoryStream found, MemoryStream complaint)
    {
        var deadline = Environment.TickCount64 + (long)ToolLimits.GrepTime.TotalMilliseconds;
        var entries = stackalloc Kernel.PollEntry[2];
        entries[0] = new() { Descriptor = output, Events = Kernel.PollIn };
        entries[1] = new() { Descriptor = errors, Events = Kernel.PollIn };
        while (entries[0].Descriptor >= 0 || entries[1].Descriptor >= 0)
        {
            var left = deadline - Environment.TickCount64;
            if (left <= 0)
            {
                return false;
            }

            _ = Kernel.Poll(entries, 2, (int)left);
            if (!Take(ref entries[0], found, ToolLimits.GrepOutputBytes))
            {
                return true;
            }

            _ = Take(ref entries[1], complaint, ErrorBytesMax);
        }

        return true;
    }

    /// <summary>False when there is no more room.</summary>
    private bool Take(ref Kernel.PollEntry entry, MemoryStream into, int most)
    {
        if (entry.Descriptor < 0 || entry.Returned == 0)
        {
            return true;
        }

        fixed (byte* chunk = _chunk)
        {
            var count = (int)Kernel.Read(entry.Descriptor, chunk, _chunk.Length);
            if (count <= 0)
            {
                entry.Descriptor = -1;
                return true;
            }

            into.Write(_chunk, 0, (int)Math.Min(count, most - into.Length));
        }

        return into.Length < most;
    }

    private static (int Read, int Write) Pipe()
    {
        var ends = stackalloc int[2];
        return Kernel.Pipe(ends, Kernel.CloseOnExec) == 0
            ? (ends[0], ends[1])
            : throw new ToolFault("grep: the sandbox has no descriptors left");
    }
}
