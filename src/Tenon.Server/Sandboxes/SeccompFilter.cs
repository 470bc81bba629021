using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The system calls a sandbox does not get, as a classic BPF program. What a program needs for its work stays;
/// what only serves to look at, change or break the host is refused.
/// </summary>
internal static class SeccompFilter
{
    // Where a filter finds what it judges (seccomp(2), struct seccomp_data); arguments by their low halves.
    private const uint NumberOffset = 0;
    private const uint ArchitectureOffset = 4;
    private const uint FirstArgument = 16;
    private const uint SecondArgument = 24;
    private const uint ThirdArgument = 32;

    private const ushort Load = 0x20;
    private const ushort JumpEqual = 0x15;
    private const ushort JumpAtLeast = 0x35;
    private const ushort JumpAnyBit = 0x45;
    private const ushort Return = 0x06;
    private const ushort And = 0x54;

    private const uint Kill = 0x80000000;
    private const uint SendSignal = 0x00030000;
    private const uint Allow = 0x7fff0000;
    private const uint PretendDone = 0x00050000;
    private const uint NotPermitted = 0x00050000 | 1;
    private const uint NotImplemented = 0x00050000 | 38;
    private const uint NoSuchFamily = 0x00050000 | 97;
    private const uint NoSuchProtocol = 0x00050000 | 93;

    private const uint X32Calls = 0x40000000;
    private const uint NamespaceFlags = 0x7E020080;
    private const uint PushInput = 0x5412;
    private const uint LinuxConsole = 0x541C;
    private const uint UnixFamily = 1;
    private const uint InternetFamily = 2;
    private const uint Internet6Family = 10;
    private const uint SocketKindMask = 0xF;
    private const uint StreamKind = 1;
    private const uint DatagramKind = 2;
    private const uint Tcp = 6;
    private const uint Udp = 17;
    private const uint CoreLimit = 4;

    public static bool Supports(Architecture architecture) => architecture is Architecture.X64 or Architecture.Arm64;

    /// <summary>The program for this machine, in the form that <c>bwrap --seccomp</c> reads.</summary>
    /// <param name="kills">Whether a call of another kind ends the process. Else it sends the signal for that, which is
    /// the same unless a program waits for it; the call is not made either way.</param>
    /// <exception cref="PlatformNotSupportedException">The calls of this architecture are not known.</exception>
    public static byte[] Build(Architecture architecture, bool kills = true)
    {
        var foreign = kills ? Kill : SendSignal;
        var calls = SeccompCalls.Of(architecture);
        var program = new List<byte>();
        Add(program, Load, ArchitectureOffset);
        Add(program, JumpEqual, calls.AuditArchitecture, 1, 0);
        Add(program, Return, foreign);
        Add(program, Load, NumberOffset);
        Add(program, JumpAtLeast, X32Calls, 0, 1);
        Add(program, Return, foreign);
        foreach (var (_, refused) in calls.Refused)
        {
            Refuse(program, refused, NotPermitted);
        }

        // A C library without clone3 falls back to clone, whose flags a filter can see.
        Refuse(program, SeccompCalls.Clone3, NotImplemented);
        Add(program, JumpEqual, calls.CloneCall, 0, 4);
        Add(program, Load, FirstArgument);
        Add(program, JumpAnyBit, NamespaceFlags, 0, 1);
        Add(program, Return, NotPermitted);
        Add(program, Return, Allow);

        Add(program, JumpEqual, calls.Ioctl, 0, 5);
        Add(program, Load, SecondArgument);
        Add(program, JumpEqual, PushInput, 1, 0);
        Add(program, JumpEqual, LinuxConsole, 0, 1);
        Add(program, Return, NotPermitted);
        Add(program, Return, Allow);

        AddCoreLimit(program, calls);
        AddSockets(program, calls);
        return [.. program];
    }

    /// <summary>
    /// Leaves the limit of core dumps as the server set it, and says that it was changed: a script that sets it to
    /// nothing, as many do, would open the way for the host's core handler, which ignores that limit.
    /// </summary>
    private static void AddCoreLimit(List<byte> program, SeccompCalls calls)
    {
        Add(program, JumpEqual, calls.Limits.Set, 0, 4);
        Add(program, Load, FirstArgument);
        Add(program, JumpEqual, CoreLimit, 0, 1);
        Add(program, Return, PretendDone);
        Add(program, Return, Allow);

        // With a null pointer for the new value, in both of its halves, it only asks.
        Add(program, JumpEqual, calls.Limits.Prlimit, 0, 8);
        Add(program, Load, SecondArgument);
        Add(program, JumpEqual, CoreLimit, 0, 5);
        Add(program, Load, ThirdArgument);
        Add(program, JumpEqual, 0, 0, 2);
        Add(program, Load, ThirdArgument + 4);
        Add(program, JumpEqual, 0, 1, 0);
        Add(program, Return, PretendDone);
        Add(program, Return, Allow);
    }

    /// <summary>
    /// Three families, and of the internet's TCP and UDP alone: another family or protocol has the kernel load a
    /// module for it, and much of what is found in kernels is found in those.
    /// </summary>
    private static void AddSockets(List<byte> program, SeccompCalls calls)
    {
        Add(program, JumpEqual, calls.Sockets.Socket, 1, 0);
        Add(program, JumpEqual, calls.Sockets.Pair, 0, 14);
        Add(program, Load, FirstArgument);
        Add(program, JumpEqual, UnixFamily, 12, 0);
        Add(program, JumpEqual, InternetFamily, 2, 0);
        Add(program, JumpEqual, Internet6Family, 1, 0);
        Add(program, Return, NoSuchFamily);
        Add(program, Load, SecondArgument);
        Add(program, And, SocketKindMask);
        Add(program, JumpEqual, StreamKind, 1, 0);
        Add(program, JumpEqual, DatagramKind, 0, 4);
        Add(program, Load, ThirdArgument);
        Add(program, JumpEqual, 0, 3, 0);
        Add(program, JumpEqual, Tcp, 2, 0);
        Add(program, JumpEqual, Udp, 1, 0);
        Add(program, Return, NoSuchProtocol);
        Add(program, Return, Allow);
    }

    private static void Refuse(List<byte> program, uint call, uint answer)
    {
        Add(program, JumpEqual, call, 0, 1);
        Add(program, Return, answer);
    }

    private static void Add(List<byte> program, ushort code, uint value, byte whenTrue = 0, byte whenFalse = 0)
    {
        Span<byte> instruction = stackalloc byte[8];
        BinaryPrimitives.WriteUInt16LittleEndian(instruction, code);
        instruction[2] = whenTrue;
        instruction[3] = whenFalse;
        BinaryPrimitives.WriteUInt32LittleEndian(instruction[4..], value);
        program.AddRange(instruction);
    }
}
