namespace Tenon.Server.Sandboxes;

/// <summary>
/// Buries the launchers that this server started. A launcher ends right after its sandbox; nobody waits for it, so
/// the dead are looked for whenever a sandbox starts or ends.
/// </summary>
internal static class LauncherReaper
{
    private static readonly Lock Gate = new();
    private static readonly List<int> Launchers = [];

    public static void Add(int pid)
    {
        lock (Gate)
        {
            Launchers.Add(pid);
        }

        Sweep();
    }

    public static void Sweep()
    {
        lock (Gate)
        {
            Launchers.RemoveAll(LinuxCalls.Reap);
        }
    }
}
