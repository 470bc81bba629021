namespace Tenon.Server.Sandboxes;

/// <summary>The probes of limits, file tools, network and secrets.</summary>
internal static partial class SandboxProbes
{
    private const string NoDisk =
        "sessions have no disks of their own here, so that nothing bounds a workspace; `tenon doctor` says why";

    private const string NoGroups = "this machine gives the server no control group for it; nothing bounds it";

    /// <summary>Says the status that the proxy answers with to each request that it is given.</summary>
    private const string AskProxy =
        "ask() { exec 3<>/dev/tcp/127.0.0.1/3128; printf \"$1\" >&3; while read -r -t 20 -u 3 version status _; do "
        + "[[ $version == HTTP/1.1 ]] && echo $status; done; exec 3>&-; }; "
        + "to() { ask \"CONNECT $1 HTTP/1.1\\r\\nHost: $1\\r\\n\\r\\n\"; }; ";

    /// <summary>What the narrow sandbox may use.</summary>
    public static SandboxOptions Narrow(SandboxOptions options) => options with
    {
        MemoryBytes = 64 * 1024 * 1024,
        TmpBytes = 4 * 1024 * 1024,
        DiskBytes = 32 * 1024 * 1024,
        DiskFiles = 2000,
        SharedMemoryBytes = 1024 * 1024,
        ProcessesMax = 160,
        CpuPercent = 50,
        WorkspaceTemplate = null,
    };

    // The fork bomb is the last: what it leaves fills the narrow sandbox until that ends.
    private static IEnumerable<SandboxProbe> Limits(ProbeStage stage) =>
    [
        new("2", "memory without end (ends at 150 MB)", "the command dies at the group's limit, the hand lives",
            "x=$(head -c 150000000 /dev/zero | tr '\\0' x); echo ${#x}", "Killed|status 137|exit 137|annot allocate"
            + OrEnd(stage))
        {
            InNarrow = true, NotTried = stage.BoundsMemory ? null : NoGroups,
        },
        new("3a", "/tmp is filled", "ENOSPC at its size",
            "head -c 9000000 /dev/zero >/tmp/f; stat -c %s /tmp/f; rm /tmp/f",
            "No space left on device\n4194304$") { InNarrow = true },
        new("3b", "the workspace is filled (ends at 60 MB)", "ENOSPC at its size, and room again after",
            "head -c 60000000 /dev/zero >f; (($(stat -c %s f) < 33554432)) && rm f && echo again >g && cat g",
            "No space left on device\nagain$")
        {
            InNarrow = true, NotTried = stage.HasDisks ? null : NoDisk,
        },
        new("4", "inodes without end (ends at 4000)", "ENOSPC at their number",
            "mkdir many; cd many; for i in {1..4000}; do : >$i || break; done; cd ..; rm -r many; "
            + "((i < 3000)) && echo again >g && cat g", "No space left on device\nagain$")
        {
            InNarrow = true, NotTried = stage.HasDisks ? null : NoDisk,
        },
        new("5", "descriptors without end (ends at 2000)", "EMFILE",
            "for i in {1..2000}; do exec {fd}</dev/null || break; done; echo $i", "Too many open files")
        {
            InNarrow = true,
        },
        new("6", "processor time without end (0.6 s)", "at most its share",
            "end=$((${EPOCHREALTIME/./} + 600000)); while ((${EPOCHREALTIME/./} < end)); do :; done; "
            + "read -r _ _ _ _ _ _ _ _ _ _ _ _ _ u s _ </proc/$BASHPID/stat; ((u + s <= 45)) && echo bounded",
            "^bounded$") { InNarrow = true, NotTried = stage.BoundsTime ? null : NoGroups },
        new("7", "/dev/shm is filled", "ENOSPC at its size",
            "head -c 9000000 /dev/zero >/dev/shm/f; stat -c %s /dev/shm/f; rm /dev/shm/f",
            "No space left on device\n1048576$") { InNarrow = true },
        new("8", "100 MB of output", "cut to 100 KiB, the rest in a file, nothing in memory",
            "yes 0123456789abcde | head -c 100000000", "^\\[output truncated\\]\n"),
        new("9", "two hundred orphans that die", "buried",
            "for i in {1..200}; do (true & true &) ; done; for i in {1..500}; do z=0; "
            + "for f in /proc/[0-9]*/stat; do read -r _ _ state _ <$f && [[ $state == Z ]] && z=1; done 2>/dev/null; "
            + "((z)) || break; sleep 0.01; done; echo $z", "^0$"),
        new("10", "processes in sessions of their own outlive the sandbox", "all dead once it is ended",
            "setsid nohup sleep 600 >/dev/null 2>&1 & (setsid sh -c 'sleep 600 & sleep 600' >/dev/null 2>&1 &)",
            "^([3-9]|[1-9][0-9]) ran, 0 left$") { InNarrow = true, Outside = stage => stage.EndAndCount() },
        new("1", "a fork bomb (ends at 400)", "EAGAIN at the limit, the hand lives",
            "sh -c 'for i in $(seq 400); do sleep 60 & done'", "Cannot fork|Resource temporarily unavailable"
            + OrEnd(stage))
        {
            InNarrow = true,
        },
    ];

    private static IEnumerable<SandboxProbe> FileTools() =>
    [
        Tool("31a", "a link to outside is read", "refused", "ln -sfn /etc /workspace/link", "read",
            new { file_path = "link/passwd" }, "outside the directories"),
        Tool("31b", "a link to outside is written through", "refused", "ln -sfn /etc/new /workspace/dangling", "write",
            new { file_path = "dangling", content = "x" }, "outside the directories"),
        new("32", "a directory of the outputs becomes a link while the server reads them", "nothing of the host",
            "mkdir -p /outputs/d; echo inside >/outputs/d/canary; "
            + "(while [[ -d /outputs ]]; do mv /outputs/d /outputs/e; ln -s $(</workspace/.target) /outputs/d; "
            + "rm /outputs/d; mv /outputs/e /outputs/d; done >/dev/null 2>&1 &)",
            "^walked \\d+, read the host 0 times$") { Outside = stage => stage.WalkOutputs() },
        Tool("33a", "a pipe is read", "refused, no wait", "mkfifo /workspace/pipe", "read",
            new { file_path = "pipe" }, "is not a regular file"),
        Tool("33b", "a device is read", "refused", "ln -sfn /dev/zero /workspace/zero", "read",
            new { file_path = "zero" }, "outside the directories"),
        Tool("33c", "a descriptor is read by its path", "refused", "true", "read",
            new { file_path = "/proc/self/fd/0" }, "outside the directories"),
        Tool("34a", "a path with .. to outside", "refused", "true", "read",
            new { file_path = "../../../../../../etc/passwd" }, "outside the directories"),
        Tool("34b", "a path of 64 KB", "refused", "true", "write",
            new { file_path = new string('a', 65_536), content = "x" }, "longer than 4095 bytes"),
        Tool("34c", "a path with a NUL", "refused", "true", "edit",
            new { file_path = "a\0b", old_string = "x", new_string = "y" }, "cannot contain a NUL"),
        Tool("34d", "names that are not UTF-8", "passed over, the others found",
            "mkdir -p /workspace/odd && : >$'/workspace/odd/\\xff\\xfe' && : >/workspace/odd/even", "glob",
            new { pattern = "odd/*" }, "(^|\n)/workspace/odd/even$"),
        new("35", "an archive with links to outside is restored", "refused", "", "")
        {
            NotTried = "this version restores no archive",
        },
    ];

    private static IEnumerable<SandboxProbe> Network(ProbeStage stage) =>
    [
        new("36a", "a port on which the server's host listens, at 127.0.0.1", "ECONNREFUSED",
            $": </dev/tcp/127.0.0.1/{stage.Port}", "Connection refused") { AtStart = true },
        new("36b", "a route to the metadata service, a private or a public address", "ENETUNREACH; no packet is sent",
            "for ip in 169.254.169.254 10.0.0.1 192.0.2.1 2001:db8::1; do { : </dev/udp/$ip/53; } 2>&1 "
            + $"| grep -o -m 1 '{NoWay(stage)}' || echo $ip; done", $"^({NoWay(stage)}\n?){{4}}$") { AtStart = true },
        new("36c", "an interface but loopback, or a name server", "none",
            "grep -v -e Inter- -e face -e ' lo:' /proc/net/dev; grep nameserver /etc/resolv.conf; echo none",
            "^none$") { AtStart = true },
        .. Proxy(stage),
    ];

    private static IEnumerable<SandboxProbe> Proxy(ProbeStage stage) =>
    [
        new("37", "the proxy is asked for literal and private addresses", "403",
            AskProxy + "for host in 127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 [::1] [::ffff:127.0.0.1] "
            + $"10.0.0.1 169.254.169.254 localhost; do to $host:{stage.Port}; done; to {ProbeProxy.Allowed}:22",
            "^(403\n?){11}$"),
        new("38", "a name is bound to a private address", "403",
            AskProxy + $"for name in {string.Join(' ', ProbeProxy.Bound.Keys)}; do to $name:443; "
            + "ask \"GET http://$name/ HTTP/1.1\\r\\nHost: $name\\r\\n\\r\\n\"; done",
            $"^(403\n?){{{2 * ProbeProxy.Bound.Count}}}$"),
        // The last is a request that is allowed, and one to another host over the same connection.
        new("39", "requests that two parsers read differently", "4xx",
            AskProxy + $"n='\\r\\n'; at={ProbeProxy.Allowed}:{stage.ProxyPort}; "
            + "post=\"POST http://$at/ HTTP/1.1${n}Host: $at$n\"; "
            + "ask \"${post}Content-Length: 3${n}Transfer-Encoding: chunked$n${n}0$n$n\"; "
            + "ask \"${post}Content-Length: 3${n}Content-Length: 4$n${n}abc\"; ask \"${post}Host: other$n$n\"; "
            + "ask \"${post}X: a$n b$n$n\"; ask \"GET http://$at/ HTTP/1.1${n}Host: other$n$n\"; "
            + "ask \"CONNECT $at HTTP/1.1${n}Host: other:443$n$n\"; "
            + "ask \"GET http://$at/ HTTP/1.1${n}Host: $at$n${n}GET http://other/ HTTP/1.1${n}Host: other$n$n\"",
            "^(400\n){6}200\n403$"),
    ];

    private static IEnumerable<SandboxProbe> Secrets(ProbeStage stage) =>
    [
        new("40a", "something of the server's environment", "only what the driver sets",
            "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | cut -d= -f1 | sort -u | grep -v -x -e HOME "
            + "-e LANG -e LOGNAME -e OLDPWD -e PATH -e PWD -e SHELL -e SHLVL -e TERM -e TMPDIR -e USER -e _ "
            + "-e HTTP_PROXY -e HTTPS_PROXY -e NO_PROXY -e http_proxy -e https_proxy -e no_proxy "
            + $"-e NODE_USE_ENV_PROXY -e {string.Join(" -e ", SandboxEtc.TrustVariables)}; echo none", "^none$"),
        new("40b", "the server's data folder, and the host's homes", "absent",
            "ls -A /home | grep -v -x agent; ls -d /root /var/lib /srv /opt /run/tenon/* 2>/dev/null "
            + "| grep -v -x -e /run/tenon/hand -e /run/tenon/filter -e /run/tenon/egress"
            + $"{(stage.HasOwnKernel ? " -e /run/tenon/meeting" : "")}; echo none", "^none$"),
    ];

    // gVisor's kernel is within the bounds itself, and does not outlive that the host refuses it something.
    private static string OrEnd(ProbeStage stage) => stage.HasOwnKernel ? "|" + SandboxProbe.Ended : "";

    // Where there is no route, gVisor says so in another word than Linux.
    private static string NoWay(ProbeStage stage) => stage.HasOwnKernel ? "No route to host" : "unreachable";

    private static IEnumerable<SandboxProbe> Identity(ProbeStage stage) =>
    [
        new("41", "the sandbox is root outside", "another uid", "true", "^uids(?!.* 0\\b)")
        {
            AtStart = true, Outside = stage => stage.Uids(),
        },
        new("42", "a capability is held", "none, also none that could be inherited",
            "grep -h -e ^Cap /proc/self/status | grep -v -e '0000000000000000$'; echo none", "^none$")
        {
            AtStart = true,
        },
        new("43", "the system is written to", "read-only",
            "for d in / /usr /etc /dev /run /mnt /uploads /proc/sys; do touch $d/probe 2>/dev/null && echo $d; done; "
            + "echo none", "^none$") { AtStart = true },
        new("44", "the host's users are named", "only made-up ones",
            "cut -d: -f1 /etc/passwd | grep -v -x -e root -e agent -e nobody; echo none", "^none$") { AtStart = true },
        new("45", "a crash leaves the process's memory on the host", "no file, and no core handler is run",
            "ulimit -c 0; ulimit -c unlimited; cd /workspace; sh -c 'kill -SEGV $$'; echo \"[$(ls -d core* 2>&-)]\"; "
            + "grep 'Max core' /proc/self/limits", "\\[\\]\nMax core file size +1 +\\w+ +bytes *$")
        {
            Fix = "Start the server with a hard limit of core dumps above zero: the kernel takes one byte for none.",
        },
        new("46", "namespaces are shared with the host", "each is the sandbox's own",
            $"for n in {stage.Namespaces}; do [[ $(readlink /proc/self/ns/${{n%=*}}) == \"${{n#*=}}\" ]] "
            + "&& echo $n; done; echo none", "^none$") { AtStart = true },
    ];

    private static SandboxProbe Tool(
        string number, string name, string must, string how, string tool, object input, string answer) =>
        new(number, name, must, how, answer) { Tool = (tool, input) };
}
