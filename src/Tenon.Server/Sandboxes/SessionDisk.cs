using System.ComponentModel;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// A session's disk: an image of a fixed size and number of files, mounted in the session's folder. Nothing that a
/// sandbox writes can take more.
/// </summary>
internal static class SessionDisk
{
    /// <summary>
    /// Mounts an image. Held open by a lock for as long as a device has it, so that no image is ever mounted by two
    /// devices, which would destroy it.
    /// </summary>
    /// <exception cref="Win32Exception">The kernel refuses.</exception>
    public static void Mount(string image, string path) =>
        LinuxDisks.MountImage(image, path, "ext4", "noinit_itable,errors=remount-ro");

    /// <summary>Takes the disk away. Does nothing when it is not there.</summary>
    /// <param name="isTrimmed">Gives back the room of what was deleted on it, which takes longer the more that is.
    /// </param>
    public static void Unmount(string path, bool isTrimmed = false)
    {
        if (!LinuxDisks.IsMount(path))
        {
            return;
        }

        Thaw(path);
        using (var disk = isTrimmed ? LinuxCalls.OpenBeneath(path) : null)
        {
            if (disk is not null)
            {
                LinuxDisks.Trim(disk);
            }
        }

        LinuxDisks.Unmount(path);
    }

    /// <summary>
    /// Lets a disk be written to again. A server that died while it made a snapshot has left the disk held still.
    /// </summary>
    public static void Thaw(string path)
    {
        using var disk = LinuxDisks.IsMount(path) ? LinuxCalls.OpenBeneath(path) : null;
        if (disk is not null)
        {
            LinuxDisks.Thaw(disk);
        }
    }

    /// <summary>An image of a mounted disk as it is at one moment.</summary>
    public static void Snapshot(string path, string image, string snapshot)
    {
        using var disk = LinuxCalls.OpenBeneath(path) ?? throw LinuxCalls.Failure($"{path} cannot be opened");
        LinuxDisks.Freeze(disk);
        try
        {
            DiskStore.Clone(image, snapshot + ".part");
        }
        finally
        {
            LinuxDisks.Thaw(disk);
        }

        File.Move(snapshot + ".part", snapshot);
    }
}
