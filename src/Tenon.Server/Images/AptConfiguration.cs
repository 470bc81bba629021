using Tenon.Server.Sandboxes;

namespace Tenon.Server.Images;

/// <summary>
/// The configuration by which apt downloads for a layer, as nobody's root: the base's sources and keys, or the
/// operator's mirror, and the base's list of what it has already.
/// </summary>
internal static class AptConfiguration
{
    private const uint OpenDirectory = 0x1ED; // 0755
    private const uint OpenFile = 0x1A4; // 0644

    private static readonly string[] Copied = ["sources.list", "sources.list.d", "trusted.gpg.d", "preferences.d"];

    /// <param name="root">Of the base: empty for the host's.</param>
    public static void Write(string directory, string root, string? mirror)
    {
        Directory.CreateDirectory(directory);
        LinuxCalls.Mode(directory, OpenDirectory);
        Put(directory, "apt.conf", $"""
            Dir::Etc "{PackageStep.AptInside}/";
            Dir::Etc::Parts "none";
            Dir::State "{PackageStep.Root}/.work/apt/";
            Dir::State::status "{PackageStep.AptInside}/status";
            Dir::Cache "{PackageStep.Root}/.work/apt/";
            Dir::Log "/tmp";
            Debug::NoLocking "true";
            APT::Sandbox::User "";
            Acquire::http::Proxy "http://127.0.0.1:{Tenon.Wire.Hand.HandProtocol.EgressPort}";
            Acquire::https::Proxy "http://127.0.0.1:{Tenon.Wire.Hand.HandProtocol.EgressPort}";

            """);
        Copy(root + "/var/lib/dpkg/status", Path.Combine(directory, "status"));
        if (mirror is not null)
        {
            Put(directory, "sources.list", mirror + "\n");
            return;
        }

        foreach (var name in Copied)
        {
            var source = $"{root}/etc/apt/{name}";
            var target = Path.Combine(directory, name);
            if (Directory.Exists(source))
            {
                Directory.CreateDirectory(target);
                LinuxCalls.Mode(target, OpenDirectory);
                foreach (var file in Directory.GetFiles(source))
                {
                    Copy(file, Path.Combine(target, Path.GetFileName(file)));
                }
            }
            else
            {
                Copy(source, target);
            }
        }
    }

    // What is not for everyone on the host, such as a mirror's password, is not for a sandbox.
    private static void Copy(string source, string target)
    {
        if (File.Exists(source) && File.GetUnixFileMode(source).HasFlag(UnixFileMode.OtherRead))
        {
            File.Copy(source, target, overwrite: true);
            LinuxCalls.Mode(target, OpenFile);
        }
    }

    private static void Put(string directory, string name, string text)
    {
        var path = Path.Combine(directory, name);
        File.WriteAllText(path, text);
        LinuxCalls.Mode(path, OpenFile);
    }
}
