using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>The uids of a root server's sandboxes: one a session, of a range in which nobody else may be.</summary>
/// <param name="known">The uids that the sessions on disk have; asked once.</param>
internal sealed class SandboxUids(SandboxOptions options, Func<IEnumerable<int>> known)
{
    private readonly Lock _gate = new();
    private readonly HashSet<int> _taken = [];
    private bool _isRead;

    /// <summary>
    /// A uid that no session has and nobody else: no process runs as it, and the system has no user of that number.
    /// </summary>
    /// <exception cref="SandboxException">None is left.</exception>
    public int Take()
    {
        lock (_gate)
        {
            if (!_isRead)
            {
                _taken.UnionWith(known());
                _isRead = true;
            }

            for (var uid = options.FirstUid; uid < options.FirstUid + options.UidCount; uid++)
            {
                if (!_taken.Contains(uid) && !LinuxCalls.RunsProcesses(uid) && !IsUser(uid) && _taken.Add(uid))
                {
                    return uid;
                }
            }
        }

        throw new SandboxException(string.Create(CultureInfo.InvariantCulture,
            $"All {options.UidCount} uids for sandboxes, from {options.FirstUid} on, are taken by sessions or by "
            + $"others' processes and users. Delete sessions, or widen the range."));
    }

    public void Release(int? uid)
    {
        lock (_gate)
        {
            _taken.Remove(uid ?? 0);
        }
    }

    private static bool IsUser(int uid)
    {
        try
        {
            var number = uid.ToString(CultureInfo.InvariantCulture);
            return File.ReadLines("/etc/passwd").Any(line => line.Split(':') is [_, _, var id, ..] && id == number);
        }
        catch (IOException)
        {
            // A container may have no list of users, and then none is in it.
            return false;
        }
    }
}
