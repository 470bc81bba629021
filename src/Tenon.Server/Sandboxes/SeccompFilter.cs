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

    private const ushort Load = 0x20;
    private const ushort JumpEqual = 0x15;
    private const ushort JumpAtLeast = 0x35;
    private const ushort JumpAnyBit = 0x45;
    private const ushort Return = 0x06;

    private const uint Kill = 0x80000000;
    private const uint Allow = 0x7fff0000;
    private const uint NotPermitted = 0x00050000 | 1;
    private const uint NotImplemented = 0x00050000 | 38;
    private const uint NoSuchFamily = 0x00050000 | 97;

    private const uint X32Calls = 0x40000000;
    private const uint Clone3 = 435;
    private const uint NamespaceFlags = 0x7E020080;
    private const uint PushInput = 0x5412;
    private const uint LinuxConsole = 0x541C;
    private const uint UnixFamily = 1;
    private const uint InternetFamily = 2;
    private const uint Internet6Family = 10;

    public static bool Supports(Architecture architecture) => architecture is Architecture.X64 or Architecture.Arm64;

    /// <summary>The program for this machine, in the form that <c>bwrap --seccomp</c> reads.</summary>
    /// <exception cref="PlatformNotSupportedException">The calls of this architecture are not known.</exception>
    public static byte[] Build(Architecture architecture)
    {
        var calls = architecture switch
        {
            Architecture.X64 => SeccompCalls.X64,
            Architecture.Arm64 => SeccompCalls.Arm64,
            _ => throw new PlatformNotSupportedException($"no sandbox filter is known for {architecture}"),
        };
        var program = new List<byte>();
        Add(program, Load, ArchitectureOffset);
        Add(program, JumpEqual, calls.AuditArchitecture, 1, 0);
        Add(program, Return, Kill);
        Add(program, Load, NumberOffset);
        Add(program, JumpAtLeast, X32Calls, 0, 1);
        Add(program, Return, Kill);
        foreach (var refused in calls.Refused)
        {
            Refuse(program, refused, NotPermitted);
        }

        // A C library without clone3 falls back to clone, whose flags a filter can see.
        Refuse(program, Clone3, NotImplemented);
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

        Add(program, JumpEqual, calls.Socket, 1, 0);
        Add(program, JumpEqual, calls.SocketPair, 0, 5);
        Add(program, Load, FirstArgument);
        Add(program, JumpEqual, UnixFamily, 3, 0);
        Add(program, JumpEqual, InternetFamily, 2, 0);
        Add(program, JumpEqual, Internet6Family, 1, 0);
        Add(program, Return, NoSuchFamily);
        Add(program, Return, Allow);
        return [.. program];
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

/// <summary>The numbers of the calls that the filter names, for one architecture.</summary>
internal sealed record SeccompCalls(
    uint AuditArchitecture, uint CloneCall, uint Ioctl, (uint Socket, uint Pair) Sockets, uint[] Refused)
{
    // The same number on every architecture: the kernel gives new calls one number for all.
    private static readonly uint[] Common =
    [
        425, 426, 427, // io_uring_setup, io_uring_enter, io_uring_register
        428, 429, 430, 431, 432, 433, // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick
        438, 442, 443, // pidfd_getfd, mount_setattr, quotactl_fd
    ];

    public uint Socket => Sockets.Socket;

    public uint SocketPair => Sockets.Pair;

    public static SeccompCalls X64 { get; } = new(0xC000003E, 56, 16, (41, 53),
    [
        101, 310, 311, // ptrace, process_vm_readv, process_vm_writev
        165, 166, 155, 161, // mount, umount2, pivot_root, chroot
        248, 249, 250, // add_key, request_key, keyctl
        321, 298, 323, // bpf, perf_event_open, userfaultfd
        246, 320, 175, 313, 176, // kexec_load, kexec_file_load, init_module, finit_module, delete_module
        169, 167, 168, 308, 272, // reboot, swapon, swapoff, setns, unshare
        163, 179, 103, 172, 173, // acct, quotactl, syslog, iopl, ioperm
        304, 303, // open_by_handle_at, name_to_handle_at
        164, 227, 159, 305, // settimeofday, clock_settime, adjtimex, clock_adjtime
        170, 171, 135, 153, // sethostname, setdomainname, personality, vhangup
        180, 212, // nfsservctl, lookup_dcookie
        279, 237, 238, 256, // move_pages, mbind, set_mempolicy, migrate_pages
        312, 300, // kcmp, fanotify_init
        .. Common,
    ]);

    public static SeccompCalls Arm64 { get; } = new(0xC00000B7, 220, 29, (198, 199),
    [
        117, 270, 271, // ptrace, process_vm_readv, process_vm_writev
        40, 39, 41, 51, // mount, umount2, pivot_root, chroot
        217, 218, 219, // add_key, request_key, keyctl
        280, 241, 282, // bpf, perf_event_open, userfaultfd
        104, 294, 105, 273, 106, // kexec_load, kexec_file_load, init_module, finit_module, delete_module
        142, 224, 225, 268, 97, // reboot, swapon, swapoff, setns, unshare
        89, 60, 116, // acct, quotactl, syslog
        265, 264, // open_by_handle_at, name_to_handle_at
        170, 112, 171, 266, // settimeofday, clock_settime, adjtimex, clock_adjtime
        161, 162, 92, 58, // sethostname, setdomainname, personality, vhangup
        42, 18, // nfsservctl, lookup_dcookie
        239, 235, 237, 238, // move_pages, mbind, set_mempolicy, migrate_pages
        272, 262, // kcmp, fanotify_init
        .. Common,
    ]);
}
