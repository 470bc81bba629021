using Tenon.Server.Sandboxes;

namespace Tenon.Server.Images;

/// <summary>
/// Debian's packages belong into <c>/usr</c>: where the server is root, a layer's own files and the base's are shown as
/// one directory, mounted once for all sessions of the layer. Elsewhere programs are found by <c>PATH</c> alone.
/// </summary>
internal static class PackageOverlay
{
    private const string Suffix = ".usr";

    /// <param name="layer">The layer's directory.</param>
    /// <param name="image">The root of the base: empty for the host's.</param>
    public static void Mount(string layer, string image)
    {
        var (own, target) = (Path.Combine(layer, "apt", "usr"), layer + Suffix);
        if (!SandboxFiles.IsRoot || !Directory.Exists(own) || LinuxDisks.IsMount(target))
        {
            return;
        }

        Directory.CreateDirectory(target);
        SystemProgram.RunOrThrow(
            "mount", "-t", "overlay", "-o", $"ro,nosuid,nodev,lowerdir={own}:{image}/usr", "overlay", target);
    }

    /// <summary>What stands in for <c>/usr</c>; null when nothing does.</summary>
    public static string? MountOf(string layer) => LinuxDisks.IsMount(layer + Suffix) ? layer + Suffix : null;

    /// <returns>Whether the layer can be deleted: no sandbox holds the mount.</returns>
    public static bool Unmount(string layer)
    {
        if (LinuxDisks.IsMount(layer + Suffix))
        {
            if (SystemProgram.Run("umount", "--", layer + Suffix) is not null)
            {
                return false;
            }

            Directory.Delete(layer + Suffix);
        }

        return true;
    }
}
