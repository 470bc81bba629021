using System.Globalization;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Bounds a sandbox's memory, processes and processor time by a control group, version 1 or 2, where the server may
/// make one: as root, and with the controllers at hand. Elsewhere there is no such bound, and <c>tenon doctor</c> says
/// so.
/// </summary>
internal sealed class SandboxCgroup
{
    /// <summary>Fewer, and the kernel refuses the first fork of a sandbox that follows another one.</summary>
    private const int ProcessesMin = 128;

    /// <summary>Milliseconds to wait for a burial; a group that is left over costs next to nothing.</summary>
    private const int RemoveAttemptsMax = 50;

    /// <summary>A group without a process lives for microseconds, so one that is taken twice is taken on purpose.
    /// </summary>
    private const int JoinAttemptsMax = 3;

    private static readonly TimeSpan EmptyTime = TimeSpan.FromMinutes(1);

    private const string Mount = "/sys/fs/cgroup";
    private const string Ours = "tenon";
    private const string Needed = "+memory +pids";
    private const string Quota = "cpu.cfs_quota_us";

    /// <summary>What the kernel takes unless it is told otherwise; a quota is a share of it.</summary>
    public const int PeriodMicroseconds = 100_000;

    private readonly TimeProvider _time;
    private readonly string[] _parents;

    public SandboxCgroup(TimeProvider time)
    {
        _time = time;
        _parents = SandboxFiles.IsRoot ? Parents() : [];
    }

    /// <summary>Whether this machine has version 2.</summary>
    public static bool IsUnified { get; } = File.Exists($"{Mount}/cgroup.controllers");

    /// <summary>Whether the memory and the processes of sandboxes are bounded.</summary>
    public bool IsAvailable => Bounds(IsUnified ? "memory.max" : "memory.limit_in_bytes");

    /// <summary>Whether their processor time is bounded too.</summary>
    public bool BoundsTime => Bounds(IsUnified ? "cpu.max" : Quota);

    /// <summary>The group of a sandbox, as a container runtime names it.</summary>
    public static string PathOf(string instance) => $"/{Ours}/{instance}";

    /// <summary>All processes and threads, with the hand's.</summary>
    public static int ProcessesOf(SandboxLimits limits) =>
        Math.Max(ProcessesMin, limits.ProcessesMax) + HandProtocol.ProcessesReserved;

    /// <summary>Of every <see cref="PeriodMicroseconds"/>.</summary>
    public static int QuotaOf(SandboxLimits limits) => limits.CpuPercent * (PeriodMicroseconds / 100);

    /// <summary>Makes the group of a sandbox that is about to run and puts its init there.</summary>
    public void Join(string instance, int pid, SandboxLimits limits)
    {
        foreach (var group in _parents.Select(parent => Path.Combine(parent, instance)))
        {
            for (var attempt = 1; !TryJoin(group, pid, limits, isLast: attempt == JoinAttemptsMax); attempt++)
            {
                // It is made again.
            }
        }
    }

    private bool TryJoin(string group, int pid, SandboxLimits limits, bool isLast)
    {
        Directory.CreateDirectory(group);
        foreach (var (file, value) in Values(limits).Where(limit => File.Exists(Path.Combine(group, limit.File))))
        {
            Set(Path.Combine(group, file), value);
        }

        try
        {
            File.WriteAllText(Path.Combine(group, "cgroup.procs"), pid.ToString(CultureInfo.InvariantCulture));
            return true;
        }
        catch (DirectoryNotFoundException) when (!isLast)
        {
            // Whoever cleans up on this machine has taken it for one that is left over: it had no process yet.
            return false;
        }
    }

    /// <summary>Stops every process of a sandbox where it stands. False where no controller can.</summary>
    public bool Freeze(string instance) => TryState(instance, "1", "FROZEN");

    /// <summary>Lets them go on.</summary>
    public void Thaw(string instance) => TryState(instance, "0", "THAWED");

    private bool TryState(string instance, string unified, string older)
    {
        var (file, value) = IsUnified ? ("cgroup.freeze", unified) : ("freezer.state", older);
        try
        {
            foreach (var path in _parents.Select(parent => Path.Combine(parent, instance, file)).Where(File.Exists))
            {
                File.WriteAllText(path, value);
                return true;
            }
        }
        catch (IOException)
        {
            // The group went with its sandbox.
        }

        return false;
    }

    /// <summary>
    /// Ends whatever is in a sandbox's group and takes it away, with those that a container runtime has made under the
    /// same name for what Tenon does not bound.
    /// </summary>
    public void End(string instance)
    {
        foreach (var group in Groups(instance))
        {
            foreach (var line in File.ReadLines(Path.Combine(group, "cgroup.procs")).ToList())
            {
                using var process = SandboxProcess.Find(int.Parse(line, CultureInfo.InvariantCulture), null);

                // Its number may be another's by now, who is not in here.
                if (process is not null && IsIn(process.Pid, instance))
                {
                    process.Kill();
                }
            }
        }

        for (var attempt = 1; !TryRemove(Groups(instance)) && attempt < RemoveAttemptsMax; attempt++)
        {
            Thread.Sleep(1);
        }
    }

    private static List<string> Groups(string instance) =>
        [.. (IsUnified ? [Mount] : Directory.EnumerateDirectories(Mount))
            .Select(hierarchy => hierarchy + PathOf(instance)).Where(Directory.Exists)];

    private static bool IsIn(int pid, string instance)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/cgroup")
                .Contains(PathOf(instance), StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return false;
        }
    }

    /// <summary>Takes a dead sandbox's group away.</summary>
    public void Remove(string instance)
    {
        for (var attempt = 1; !TryRemove(instance) && attempt < RemoveAttemptsMax; attempt++)
        {
            // The launcher is about to bury the sandbox's init, which counts as a member until then.
            Thread.Sleep(1);
        }
    }

    /// <summary>Takes away what sandboxes left that ended while no server ran. A group with processes stays.</summary>
    public void RemoveEmpty()
    {
        // Another server may just have made one and not yet put its sandbox there.
        var newest = _time.GetUtcNow() - EmptyTime;
        foreach (var group in _parents.SelectMany(Directory.EnumerateDirectories)
            .Where(group => Directory.GetLastWriteTimeUtc(group) < newest).ToList())
        {
            TryRemove(Path.GetFileName(group));
        }
    }

    private bool Bounds(string file) => _parents.Any(parent => File.Exists(Path.Combine(parent, file)));

    private static void Set(string file, string value)
    {
        try
        {
            File.WriteAllText(file, value);
        }
        catch (IOException) when (file.EndsWith(Quota, StringComparison.Ordinal))
        {
            // Version 1 refuses a share that is more than the server's own; then that one bounds the sandbox too.
        }
    }

    private bool TryRemove(string instance) =>
        TryRemove(_parents.Select(parent => Path.Combine(parent, instance)).Where(Directory.Exists));

    private static bool TryRemove(IEnumerable<string> groups)
    {
        try
        {
            foreach (var group in groups)
            {
                Directory.Delete(group);
            }

            return true;
        }
        catch (IOException)
        {
            // It has a process still.
            return false;
        }
    }

    private IEnumerable<(string File, string Value)> Values(SandboxLimits limits)
    {
        var time = Text(QuotaOf(limits));
        return
        [
            (IsUnified ? "memory.max" : "memory.limit_in_bytes", Text(limits.MemoryBytes)),
            ("memory.swap.max", "0"),
            ("pids.max", Text(ProcessesOf(limits))),
            (Quota, time),
            ("cpu.max", $"{time} {Text(PeriodMicroseconds)}"),
        ];

        static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
    }

    private string[] Parents()
    {
        try
        {
            if (IsUnified)
            {
                var ours = $"{Mount}/{Ours}";
                Delegate(Mount, Needed);
                Directory.CreateDirectory(ours);
                Delegate(ours, Needed);
                TryDelegateTime(ours);
                return [ours];
            }

            return [.. ((string[])["memory", "pids", "cpu", "freezer"])
                .Where(name => File.Exists($"{Mount}/{name}/cgroup.procs"))
                .Select(name => Directory.CreateDirectory($"{Mount}/{name}/{Ours}").FullName)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A container's root often may not; that is for the doctor to tell and no reason to fail.
            return [];
        }
    }

    private static void TryDelegateTime(string ours)
    {
        try
        {
            Delegate(Mount, "+cpu");
            Delegate(ours, "+cpu");
        }
        catch (IOException)
        {
            // A kernel that schedules real-time tasks by groups refuses; the doctor says that time is not bounded.
        }
    }

    private static void Delegate(string group, string controllers) =>
        File.WriteAllText(Path.Combine(group, "cgroup.subtree_control"), controllers);
}
