using System.Globalization;

namespace Tenon.Bench.Soak;

/// <summary>Counts what sandboxes have left on the machine.</summary>
internal static class SoakRemains
{
    /// <summary>A range that nobody else uses, so that every process of it is the soak's.</summary>
    public const int FirstUid = 2_200_000;

    private const int UidCount = 50_000;

    public static IReadOnlyList<(string Name, int Count)> Count(
        string data, string root, string sockets, IReadOnlySet<string> instances) =>
    [
        ("processes, and uids that run any", Directory.EnumerateDirectories("/proc").Count(IsOfTheSoak)),
        ("mounts", File.ReadLines("/proc/self/mountinfo").Count(line => line.Contains(data, StringComparison.Ordinal))),
        ("loop devices", Directory.EnumerateDirectories("/sys/block", "loop*").Count(device => IsOver(device, data))),
        ("control groups", Groups().Count(instances.Contains)),
        ("sockets", Directory.EnumerateFileSystemEntries(sockets).Count()),
        ("session folders, disks and snapshots", !Directory.Exists(root) ? 0 : Directory.EnumerateFileSystemEntries(
            root, "*", SearchOption.AllDirectories).Count(path => path.Contains("soak_", StringComparison.Ordinal)
                && Path.GetFileName(path).StartsWith("soak_", StringComparison.Ordinal))),
        ("stores", File.Exists(Path.Combine(root, ".disks.xfs")) ? 1 : 0),
    ];

    private static bool IsOfTheSoak(string process)
    {
        try
        {
            return int.TryParse(Path.GetFileName(process), NumberStyles.None, CultureInfo.InvariantCulture, out _)
                && File.ReadLines(Path.Combine(process, "status"))
                    .First(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')
                    .Skip(1).Select(uid => int.Parse(uid, CultureInfo.InvariantCulture))
                    .Any(uid => uid is >= FirstUid and < FirstUid + UidCount);
        }
        catch (IOException)
        {
            // It has ended.
            return false;
        }
    }

    private static bool IsOver(string device, string data)
    {
        var file = Path.Combine(device, "loop", "backing_file");
        return File.Exists(file) && File.ReadAllText(file).Contains(data, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Groups() => Directory.EnumerateDirectories("/sys/fs/cgroup")
        .Append("/sys/fs/cgroup").Select(controller => Path.Combine(controller, "tenon")).Where(Directory.Exists)
        .SelectMany(Directory.EnumerateDirectories).Select(group => Path.GetFileName(group));
}
