namespace Tenon.Server.Sandboxes;

/// <summary>Where sandboxes live and what they may use.</summary>
public sealed record SandboxOptions
{
    /// <summary>Sessions' files stand in <c>sandboxes</c> below it, unless sandboxes cannot walk there.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The published hand.</summary>
    public required string HandPath { get; init; }

    /// <summary>What starts sandboxes: <c>bubblewrap</c> or <c>oci</c>, a container runtime.</summary>
    public string Driver { get; init; } = "bubblewrap";

    /// <summary>The container runtime of the driver <c>oci</c>, by name or absolute path.</summary>
    public string OciRuntime { get; init; } = "runc";

    public string BubblewrapPath { get; init; } = "/usr/bin/bwrap";

    public string SetprivPath { get; init; } = "/usr/bin/setpriv";

    /// <summary>First of the uids that sandboxes get when the server is root; above what systems hand out.</summary>
    public int FirstUid { get; init; } = 2_000_000;

    /// <summary>How many sessions can have files at once when the server is root.</summary>
    public int UidCount { get; init; } = 50_000;

    /// <summary>
    /// The uid that a container runtime works as while it makes a sandbox's mounts: the one after those of sessions.
    /// </summary>
    public int SetupUid => FirstUid + UidCount;

    /// <summary>
    /// The root of the system that sandboxes have, as <c>tenon image build</c> makes one; null lends them the host's
    /// <c>/usr</c>.
    /// </summary>
    public string? Image { get; init; }

    /// <summary>A directory whose content a new session finds in its workspace.</summary>
    public string? WorkspaceTemplate { get; init; }

    /// <summary>
    /// Size of a session's files, where each session can have a disk of its own; 0 gives none a disk. It takes room
    /// only as it is filled.
    /// </summary>
    public long DiskBytes { get; init; } = 10L * 1024 * 1024 * 1024;

    /// <summary>How many files and directories a session's disk has room for.</summary>
    public int DiskFiles { get; init; } = 1_000_000;

    /// <summary>
    /// What is kept free below the sessions' files: with less, no new sandbox gets any, so that those that run can go
    /// on for a while and the server can write.
    /// </summary>
    public long ReserveBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>
    /// By how much the store of disks grows at a time, where it is a file; a sandbox cannot fill it before it grows.
    /// </summary>
    public long StoreStepBytes { get; init; } = 2L * 1024 * 1024 * 1024;

    /// <summary>A sandbox that nothing is asked of for so long is frozen: it takes no processor time.</summary>
    public TimeSpan FreezeAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// One that nothing is asked of for so long is ended: it takes no memory. Its files and its shell's state are kept.
    /// </summary>
    public TimeSpan EndAfter { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The files of a session are kept for so long after its last activity.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Size of <c>/tmp</c>, which is memory.</summary>
    public long TmpBytes { get; init; } = 1024L * 1024 * 1024;

    /// <summary>Size of <c>/dev/shm</c>, which is memory; browsers want some.</summary>
    public long SharedMemoryBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>Memory of a sandbox with all its processes and memory file systems, where it can be bounded.</summary>
    public long MemoryBytes { get; init; } = 4L * 1024 * 1024 * 1024;

    /// <summary>
    /// Processor time of a sandbox in percent of one core, where it can be bounded: a build gets two cores, and one
    /// session does not get a large machine.
    /// </summary>
    public int CpuPercent { get; init; } = 200;

    /// <summary>Processes and threads at once: a parallel build fits, a fork bomb ends.</summary>
    public int ProcessesMax { get; init; } = 1024;

    /// <summary>
    /// Where the server's sockets to its sandboxes stand; null chooses. Short: a socket's path has 107 bytes.
    /// </summary>
    public string? SocketDirectory { get; init; }
}
