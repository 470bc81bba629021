using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Makes the <c>/etc</c> of sandboxes: made-up files in place of those that would name the host's users and
/// networks, and copies of what programs in the lent <c>/usr</c> are found, trusted and drawn through.
/// </summary>
/// <remarks>Small things are copied, because every mount adds about 0.3 ms to each start.</remarks>
internal static class SandboxEtc
{
    public const string User = "agent";

    /// <summary>The authorities that programs trust: the base's, the proxy's and the operator's.</summary>
    public const string BundleInside = "/etc/" + BundlePath;

    private const string BundlePath = "ssl/certs/ca-certificates.crt";

    private const uint OpenDirectory = 0x1ED; // 0755
    private const uint OpenFile = 0x1A4; // 0644

    /// <summary>Directories of the base, mounted over empty ones of the same name.</summary>
    /// <param name="image">The root of the base; null for the host's.</param>
    public static IReadOnlyList<string> Mounted(string? image) =>
        [.. ((string[])["alternatives", "pki", "fonts"]).Where(name => Directory.Exists($"{image}/etc/{name}"))];

    /// <summary>By what programs find that file where they look for another one.</summary>
    public static IReadOnlyList<string> TrustVariables { get; } =
    [
        "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT",
        "npm_config_cafile", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    ];

    private static readonly string[] Copied =
    [
        "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
        "ssl",
        "localtime", "mime.types", "protocols", "services", "java-11-openjdk", "java-17-openjdk", "java-21-openjdk",
        "python3", "perl", "magic", "terminfo",
    ];

    private static readonly Dictionary<string, string> MadeUp = new()
    {
        ["passwd"] = $"root:x:0:0:root:/:/usr/sbin/nologin\n{User}:x:1000:1000:Agent:/home/{User}:/bin/bash\n"
            + "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        ["group"] = $"root:x:0:\n{User}:x:1000:\nnogroup:x:65534:\n",
        ["hosts"] = "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost\n",
        ["resolv.conf"] = "# A sandbox has no name server; what it may reach, it reaches through the proxy.\n",
        ["hostname"] = "sandbox\n",
        ["nsswitch.conf"] = "passwd: files\ngroup: files\nhosts: files\n",
    };

    /// <summary>
    /// The directory for this state of the host, made when it is new. Its name holds that state, so that it never
    /// changes under living sandboxes.
    /// </summary>
    /// <param name="trusted">What sandboxes trust beside the base's authorities, in PEM.</param>
    public static string Prepare(string parent, string? image, string trusted)
    {
        var sources = Copied.Select(name => $"{image}/etc/{name}").Where(Path.Exists).ToList();
        var mounted = Mounted(image);
        var target = Path.Combine(parent, "etc-" + StateOf(sources, mounted, trusted));
        if (Directory.Exists(target))
        {
            return target;
        }

        var temporary = $"{target}.{Guid.NewGuid():N}";
        Directory.CreateDirectory(temporary);
        LinuxCalls.Mode(temporary, OpenDirectory);
        foreach (var (name, text) in MadeUp)
        {
            File.WriteAllText(Path.Combine(temporary, name), text);
            LinuxCalls.Mode(Path.Combine(temporary, name), OpenFile);
        }

        foreach (var name in mounted)
        {
            Directory.CreateDirectory(Path.Combine(temporary, name));
        }

        foreach (var source in sources)
        {
            Copy(Entry(source), temporary);
        }

        WriteBundle(image, temporary, trusted);
        try
        {
            Directory.Move(temporary, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // Another server on the same data made it first.
            Directory.Delete(temporary, recursive: true);
        }

        return target;
    }

    private static void WriteBundle(string? image, string etc, string trusted)
    {
        var bundle = Path.Combine(etc, BundlePath);
        var directory = Path.GetDirectoryName(bundle)!;
        if (new DirectoryInfo(directory).LinkTarget is not null)
        {
            // In some bases it leads to where nothing can be added.
            File.Delete(directory);
        }

        Directory.CreateDirectory(directory);
        LinuxCalls.Mode(Path.GetDirectoryName(directory)!, OpenDirectory);
        LinuxCalls.Mode(directory, OpenDirectory);
        var source = $"{image}/etc/{BundlePath}";
        var known = File.Exists(source) ? File.ReadAllText(source).TrimEnd('\n') + "\n" : "";
        File.Delete(bundle);
        File.WriteAllText(bundle, known + trusted);
        LinuxCalls.Mode(bundle, OpenFile);
    }

    private static void Copy(FileSystemInfo source, string into)
    {
        var target = Path.Combine(into, source.Name);
        if (source.LinkTarget is { } link)
        {
            File.CreateSymbolicLink(target, link);
        }
        else if (!IsOpen(source))
        {
            // Not for everyone on the host, so not for a sandbox.
        }
        else if (source is DirectoryInfo directory)
        {
            Directory.CreateDirectory(target);
            LinuxCalls.Mode(target, OpenDirectory);
            foreach (var entry in directory.EnumerateFileSystemInfos())
            {
                Copy(entry, target);
            }
        }
        else
        {
            File.Copy(source.FullName, target);
            LinuxCalls.Mode(target, OpenFile);
        }
    }

    private static string StateOf(IEnumerable<string> sources, IReadOnlyList<string> mounted, string trusted)
    {
        var state = new StringBuilder(string.Concat([.. MadeUp.Values, .. mounted, trusted]));
        foreach (var entry in sources.Select(Entry).SelectMany(Tree))
        {
            state.Append(CultureInfo.InvariantCulture, $"{entry.FullName} {entry.LastWriteTimeUtc.Ticks}\n");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(state.ToString())))[..16];
    }

    private static IEnumerable<FileSystemInfo> Tree(FileSystemInfo entry) =>
        entry is DirectoryInfo { LinkTarget: null } directory && IsOpen(directory)
            ? directory.EnumerateFileSystemInfos().OrderBy(inner => inner.Name).SelectMany(Tree).Prepend(entry)
            : [entry];

    private static FileSystemInfo Entry(string path) =>
        Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);

    private static bool IsOpen(FileSystemInfo entry) => entry.UnixFileMode.HasFlag(
        entry is DirectoryInfo ? UnixFileMode.OtherRead | UnixFileMode.OtherExecute : UnixFileMode.OtherRead);
}
