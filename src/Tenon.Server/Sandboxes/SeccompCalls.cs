using System.Runtime.InteropServices;

namespace Tenon.Server.Sandboxes;

/// <summary>The numbers of the calls that the filter names, for one architecture.</summary>
/// <param name="Refused">Those that answer "not permitted", whatever is asked.</param>
internal sealed record SeccompCalls(
    uint AuditArchitecture, uint CloneCall, uint Ioctl, (uint Socket, uint Pair) Sockets,
    (uint Set, uint Prlimit) Limits, IReadOnlyList<(string Name, uint Number)> Refused)
{
    /// <summary>The same on every architecture, as are all that the kernel got since.</summary>
    public const uint Clone3 = 435;

    private static readonly (string Name, uint Number)[] Common =
    [
        ("io_uring_setup", 425), ("io_uring_enter", 426), ("io_uring_register", 427),
        ("open_tree", 428), ("move_mount", 429), ("fsopen", 430), ("fsconfig", 431), ("fsmount", 432),
        ("fspick", 433),
        ("pidfd_getfd", 438), ("mount_setattr", 442), ("quotactl_fd", 443),
        ("open_tree_attr", 467),
    ];

    public static SeccompCalls X64 { get; } = new(0xC000003E, 56, 16, (41, 53), (160, 302),
    [
        ("ptrace", 101), ("process_vm_readv", 310), ("process_vm_writev", 311),
        ("mount", 165), ("umount2", 166), ("pivot_root", 155), ("chroot", 161),
        ("add_key", 248), ("request_key", 249), ("keyctl", 250),
        ("bpf", 321), ("perf_event_open", 298), ("userfaultfd", 323),
        ("kexec_load", 246), ("kexec_file_load", 320), ("init_module", 175), ("finit_module", 313),
        ("delete_module", 176),
        ("reboot", 169), ("swapon", 167), ("swapoff", 168), ("setns", 308), ("unshare", 272),
        ("acct", 163), ("quotactl", 179), ("syslog", 103), ("iopl", 172), ("ioperm", 173),
        ("open_by_handle_at", 304), ("name_to_handle_at", 303),
        ("settimeofday", 164), ("clock_settime", 227), ("adjtimex", 159), ("clock_adjtime", 305),
        ("sethostname", 170), ("setdomainname", 171), ("personality", 135), ("vhangup", 153),
        ("nfsservctl", 180), ("lookup_dcookie", 212),
        ("move_pages", 279), ("mbind", 237), ("set_mempolicy", 238), ("migrate_pages", 256),
        ("kcmp", 312), ("fanotify_init", 300),
        .. Common,
    ]);

    public static SeccompCalls Arm64 { get; } = new(0xC00000B7, 220, 29, (198, 199), (164, 261),
    [
        ("ptrace", 117), ("process_vm_readv", 270), ("process_vm_writev", 271),
        ("mount", 40), ("umount2", 39), ("pivot_root", 41), ("chroot", 51),
        ("add_key", 217), ("request_key", 218), ("keyctl", 219),
        ("bpf", 280), ("perf_event_open", 241), ("userfaultfd", 282),
        ("kexec_load", 104), ("kexec_file_load", 294), ("init_module", 105), ("finit_module", 273),
        ("delete_module", 106),
        ("reboot", 142), ("swapon", 224), ("swapoff", 225), ("setns", 268), ("unshare", 97),
        ("acct", 89), ("quotactl", 60), ("syslog", 116),
        ("open_by_handle_at", 265), ("name_to_handle_at", 264),
        ("settimeofday", 170), ("clock_settime", 112), ("adjtimex", 171), ("clock_adjtime", 266),
        ("sethostname", 161), ("setdomainname", 162), ("personality", 92), ("vhangup", 58),
        ("nfsservctl", 42), ("lookup_dcookie", 18),
        ("move_pages", 239), ("mbind", 235), ("set_mempolicy", 237), ("migrate_pages", 238),
        ("kcmp", 272), ("fanotify_init", 262),
        .. Common,
    ]);

    /// <exception cref="PlatformNotSupportedException">The calls of this architecture are not known.</exception>
    public static SeccompCalls Of(Architecture architecture) => architecture switch
    {
        Architecture.X64 => X64,
        Architecture.Arm64 => Arm64,
        _ => throw new PlatformNotSupportedException($"no sandbox filter is known for {architecture}"),
    };
}
