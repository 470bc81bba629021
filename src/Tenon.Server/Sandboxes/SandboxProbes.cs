using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Every probe, as data: tried by the tests, by <c>tenon doctor --probe</c>, and those that matter most at every start
/// of the server. What they mean stands in <c>docs/operations/security.md</c>.
/// </summary>
internal static partial class SandboxProbes
{
    private const string Hand = SandboxDescription.HandInside + " try";
    private const string Environ = "/proc/1/environ";
    private const string Refused = "Operation not permitted";
    private const string ReadOnly = "Permission denied|Read-only file system";

    /// <summary>
    /// gVisor shows the names of a process's descriptors to its user. None leads to a file or a socket of the host, and
    /// where the hand's socket was made, nothing is and nothing can be made.
    /// </summary>
    private const string OwnKernelDescriptors =
        "for f in /proc/1/fd/*; do [[ -S $f || -f $f || -d $f ]] && { : <\"$f\"; } 2>/dev/null "
        + "&& readlink \"$f\"; done; ls -A /run/tenon/meeting; "
        + "{ : >/run/tenon/meeting/hand; } 2>/dev/null && echo made; echo none";

    /// <summary>All, in the order of their numbers.</summary>
    public static IReadOnlyList<SandboxProbe> All(ProbeStage stage) =>
    [
        .. Limits(stage), .. Settings(stage), .. Processes(stage), .. Calls(stage), .. Devices(stage),
        .. Sockets(stage), .. FileTools(), .. Network(stage), .. Secrets(stage), .. Identity(stage),
    ];

    private static IEnumerable<SandboxProbe> Settings(ProbeStage stage) =>
    [
        new("11", "the host's core handler is set", "EACCES or EROFS",
            ": >>/proc/sys/kernel/core_pattern", ReadOnly) { AtStart = true },
        new("12", "the host is told to reboot by sysrq", "EACCES, EROFS or absent",
            ": >>/proc/sysrq-trigger", $"{ReadOnly}|No such file") { AtStart = true },
        new("13", "any setting under /proc/sys is opened for writing", "every one refused",
            "shopt -s globstar; for f in /proc/sys/**; do [[ -f $f ]] && { : >>\"$f\"; } 2>/dev/null && echo \"$f\"; "
            + "done; echo none", "^none$"),
        new("14a", "the kernel's memory and log, and the hand's files, are opened", "every one refused",
            // gVisor lets an environment be read by its own user; the hand's has what every command's has.
            $"for f in /proc/kcore /proc/kmsg /proc/1/root/etc/passwd /proc/1/mem {(stage.HasOwnKernel ? "" : Environ)}"
            + "; do { : <\"$f\"; } 2>/dev/null && echo \"$f\"; done; echo none", "^none$"),
        new("14b", "the host's boot line, kernel addresses, keys and interrupts are read", "empty",
            $"cat {string.Join(' ', SandboxDescription.Masked)} 2>/dev/null "
            // A kernel of its own says by what line it was booted itself.
            + $"{(stage.HasOwnKernel ? "| grep -v -e -gvisor " : "")}| wc -c", "^0$"),
        new("15", "processes of the host are seen", "none: fewer than ten, and no kernel thread",
            "set -- /proc/[0-9]*; grep -l -x kthreadd /proc/[0-9]*/comm 2>/dev/null; (($# < 10)) && echo few", "^few$")
        {
            AtStart = true,
        },
    ];

    private static IEnumerable<SandboxProbe> Processes(ProbeStage stage) =>
    [
        new("16a", "something is mounted with mount(8)", "EPERM",
            "mount -t tmpfs none /tmp 2>&1; test $? -ne 0 && grep -c ' /tmp ' /proc/self/mounts", "^(.*\n)*1$")
        {
            AtStart = true,
        },
        Names(stage, "16b", "mount, unmount, change of root, and the newer calls for them", "mount", "umount2",
            "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
            "mount_setattr", "open_tree_attr"),
        new("17a", "a user namespace is made with unshare(1)", "EPERM", "unshare --user true", Refused)
        {
            AtStart = true,
        },
        new("17b", "a user namespace is made with clone", "EPERM",
            $"{Hand} call {stage.Calls.CloneCall} 268435473 0 0 0 0", $"^{Refused}$") { AtStart = true },
        new("18", "clone3, whose flags no filter sees", "ENOSYS",
            $"{Hand} calls 38 {SeccompCalls.Clone3}", "^1 of 1") { AtStart = true },
        Names(stage, "19", "another namespace is entered", "setns", "unshare"),
        Names(stage, "20", "other processes are traced, or their memory read", "ptrace", "process_vm_readv",
            "process_vm_writev", "kcmp", "pidfd_getfd"),
        // A container runtime's root honours them, and has nothing but places for mounts; its devices are no programs.
        new("21a", "privileges by a setuid file", "no mount has one that counts, and no new privileges can be gained",
            // gVisor shows neither with which options it has mounted nor this in the status.
            stage.HasOwnKernel ? "setpriv --dump 2>/dev/null | sed -n 's/^no_new_privs: /NoNewPrivs:\\t/p'"
            : "while read -r _ on _ how _; do "
            + "[[ ,$how, == *,nosuid,* || ! -d $on || ( $on == / && ,$how, == *,ro,* ) ]] || echo \"$on\"; "
            + "done </proc/self/mounts; grep NoNewPrivs /proc/self/status", "^NoNewPrivs:\t1$") { AtStart = true },
        new("21b", "a copy of the shell with the setuid bit, and su", "the same uid, no capability",
            "cp /bin/bash /workspace/.probe && chmod u+s /workspace/.probe && /workspace/.probe -p -c 'echo $EUID'; "
            + "rm /workspace/.probe; su root -c 'echo 0' </dev/null 2>/dev/null; echo end", "^1000\nend$"),
    ];

    private static IEnumerable<SandboxProbe> Calls(ProbeStage stage) =>
    [
        Names(stage, "22", "the kernel's keys", "add_key", "request_key", "keyctl"),
        Names(stage, "23a", "bpf, perf, io_uring, userfaultfd", "bpf", "perf_event_open", "io_uring_setup",
            "io_uring_enter", "io_uring_register", "userfaultfd") with { AtStart = true },
        Names(stage, "23b", "every other call that the filter names",
            [.. stage.Calls.Refused.Select(call => call.Name)]),
        // Not at every start: the kernel writes each such death into its log.
        new("24a", "a call of the x32 kind", "killed (SIGSYS)",
            $"{Hand} call 1073741863", "Bad system call|exit 159"),
        new("24b", "a call by the entry of 32-bit programs", "killed (SIGSYS or SIGSEGV)",
            $"{Hand} i386", "Bad system call|Segmentation fault|exit 159|exit 139"),
        new("25", "input pushed into a terminal (TIOCSTI), on a real one", "EPERM",
            $"{Hand} push-input", $"^{Refused}$"),
    ];

    private static IEnumerable<SandboxProbe> Devices(ProbeStage stage) =>
    [
        new("26a", "a device of the host", "none but null, zero, full, random, urandom, tty and terminals",
            "ls /dev | grep -v -x -e core -e fd -e full -e null -e ptmx -e pts -e random -e shm -e stderr -e stdin "
            + "-e stdout -e tty -e urandom -e zero -e console"
            // Of its own kernel, which lets nobody mount the one, and whose other leads to no network but loopback.
            + $"{(stage.HasOwnKernel ? " -e fuse -e net" : "")}; echo none", "^none$") { AtStart = true },
        stage.HasOwnKernel
            // In its own memory it makes one, with nothing behind it.
            ? new("26b", "a device is made", "EPERM",
                "mknod /tmp/probe b 8 0; head -c 1 /tmp/probe; mknod /workspace/probe c 1 1",
                $"(No such device|{Refused})(.*\n)+.*{Refused}")
            : new("26b", "a device is made", "EPERM", "mknod /tmp/probe b 8 0; mknod /workspace/probe c 1 1",
                $"{Refused}(.*\n)+.*{Refused}"),
        new("27", "control groups, and their release agent", "absent",
            "ls -d /sys/fs/cgroup /sys/kernel 2>/dev/null; grep -c cgroup /proc/self/mounts", "^0$"),
        new("28a", "descriptors of the server", "none above 2 but the listing's own",
            "ls /proc/self/fd | grep -v -x -e 0 -e 1 -e 2 -e 3; echo none", "^none$") { AtStart = true },
        new("28b", "the hand's own descriptors", "EACCES",
            stage.HasOwnKernel ? OwnKernelDescriptors : "ls -l /proc/1/fd/3",
            stage.HasOwnKernel ? "^none$" : "Permission denied")
        {
            AtStart = true,
        },
        new("29", "an abstract socket on which the server's host listens", "ECONNREFUSED",
            $"{Hand} abstract {stage.AbstractName}", "Connection refused"),
    ];

    private static IEnumerable<SandboxProbe> Sockets(ProbeStage stage) =>
    [
        new("30a", "sockets of netlink, packet, bluetooth, CAN, vsock and the kernel's crypto", "EAFNOSUPPORT",
            $"for family in 16 17 31 29 40 38; do {Socket(stage, "$family", 2)}; done",
            "^(Address family not supported by protocol\n?){6}$") { AtStart = true },
        new("30b", "sockets of SCTP, DCCP, MPTCP, ICMP, and raw ones", "EPROTONOSUPPORT",
            $"{Socket(stage, "2", 1, 132)}; {Socket(stage, "10", 5, 132)}; {Socket(stage, "2", 6, 33)}; "
            + $"{Socket(stage, "2", 1, 262)}; {Socket(stage, "2", 2, 1)}; {Socket(stage, "10", 3, 58)}",
            "^(Protocol not supported\n?){6}$"),
        new("30c", "sockets of TCP, UDP and the local kind", "allowed",
            $"{Socket(stage, "2", 1, 6)}; {Socket(stage, "10", 2, 17)}; {Socket(stage, "1", 1)}",
            "^(it answered \\d+\n?){3}$")
        {
            AtStart = true,
            Fix = "The filter refuses what it should allow; that is a fault of Tenon's. Please report it.",
        },
    ];

    /// <summary>Calls that answer "not permitted" although nothing else is right about them either.</summary>
    private static SandboxProbe Names(ProbeStage stage, string number, string name, params string[] calls)
    {
        var numbers = stage.Calls.Refused.Where(call => calls.Contains(call.Name)).Select(call => call.Number).ToList();
        return new(number, name, "EPERM",
            $"{Hand} calls 1 {string.Join(' ', numbers)}", $"^{numbers.Count} of {numbers.Count}: {Refused}$");
    }

    private static string Socket(ProbeStage stage, string family, int kind, int protocol = 0) => string.Create(
        CultureInfo.InvariantCulture, $"{Hand} call {stage.Calls.Sockets.Socket} {family} {kind} {protocol}");
}
