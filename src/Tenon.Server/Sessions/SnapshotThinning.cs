using Tenon.Server.Harness;

namespace Tenon.Server.Sessions;

/// <summary>Which snapshots of a session are worth their room.</summary>
public static class SnapshotThinning
{
    /// <summary>
    /// Snapshots of one session at once. Each shares what has not changed since with the next, and has a name and a
    /// map of its own.
    /// </summary>
    public const int Most = 32;

    /// <summary>Of the newest none is left out: forks go back a few steps far more often than many.</summary>
    private const int Newest = 16;

    /// <summary>
    /// Those that stay when one more comes: the newest, and of the older ones those that stand farthest apart.
    /// </summary>
    /// <param name="snapshots">All that the log names, oldest first.</param>
    public static IReadOnlyCollection<string> Stay(IReadOnlyList<SnapshotTaken> snapshots)
    {
        // The log is read for ever, and what it names may be gone: the same rule gives the same answer each time.
        var stay = new List<SnapshotTaken>();
        foreach (var snapshot in snapshots)
        {
            stay.Add(snapshot);
            if (stay.Count >= Most)
            {
                stay.RemoveAt(Enumerable.Range(1, stay.Count - Newest - 1)
                    .MinBy(i => stay[i + 1].At - stay[i - 1].At));
            }
        }

        return stay.ConvertAll(snapshot => snapshot.Id);
    }
}
