using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The command that starts a sandbox. Every argument answers to a way out that was tried; see the README before
/// taking one away.
/// </summary>
internal sealed class BubblewrapCommand(SandboxOptions options, SandboxFiles files)
{
    /// <summary>
    /// The descriptor numbers of <see cref="ChildProcess.Start"/>'s list, after the three standard ones.
    /// </summary>
    public const int ListenDescriptor = 3;
    private const int FilterDescriptor = 4;
    private const int InfoDescriptor = 5;

    private const string Home = "/home/" + MadeUpEtc.User;
    private const string HandInside = "/run/tenon/hand";
    private const string InsideUid = "1000";

    private static readonly string[] TopDirectories = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

    // A host that lends /usr lends these too: programs in it are found, trusted and drawn through them.
    private static readonly string[] LentEtc =
    [
        "alternatives", "ssl", "ca-certificates", "pki", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
        "localtime", "mime.types", "protocols", "services", "java-11-openjdk", "java-17-openjdk", "java-21-openjdk",
        "python3", "perl", "magic", "terminfo",
    ];

    public List<string> Build(SandboxFolder folder, int? uid, string instance)
    {
        var command = new List<string>();
        if (uid is { } user)
        {
            // NOTE: bubblewrap must not run as the host's root, which could write /proc/sys from inside.
            var id = user.ToString(CultureInfo.InvariantCulture);
            command.AddRange([options.SetprivPath, "--reuid", id, "--regid", id, "--clear-groups", "--"]);
        }

        command.AddRange(
        [
            options.BubblewrapPath, "--unshare-all", "--unshare-user", "--disable-userns", "--new-session",
            "--uid", InsideUid, "--gid", InsideUid, "--hostname", "sandbox", "--cap-drop", "ALL", "--as-pid-1",
        ]);
        AddSystem(command);
        AddSession(command, folder);
        AddEnvironment(command);
        command.AddRange(
        [
            "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/workspace",
            "--seccomp", $"{FilterDescriptor}", "--info-fd", $"{InfoDescriptor}",
            HandInside, instance,
            // Counted for the sandbox's own uid; where all sandboxes share the server's, one would starve another.
            uid is null ? "0" : options.ProcessesMax.ToString(CultureInfo.InvariantCulture),
        ]);
        return command;
    }

    private void AddSystem(List<string> command)
    {
        command.AddRange(["--ro-bind", "/usr", "/usr"]);
        foreach (var name in TopDirectories)
        {
            var top = new DirectoryInfo("/" + name);
            command.AddRange(top.LinkTarget is { } target ? ["--symlink", target, "/" + name]
                : top.Exists ? ["--ro-bind", "/" + name, "/" + name]
                : []);
        }

        command.AddRange(["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]);
        AddMemory(command, options.SharedMemoryBytes, "/dev/shm");
        AddMemory(command, options.TmpBytes, "/tmp");
        command.AddRange(["--symlink", "/tmp", "/var/tmp"]);
        foreach (var name in LentEtc.Where(name => Path.Exists("/etc/" + name)))
        {
            command.AddRange(["--ro-bind", "/etc/" + name, "/etc/" + name]);
        }

        foreach (var name in MadeUpEtc.Files.Keys)
        {
            command.AddRange(["--ro-bind", Path.Combine(files.Shared, name), "/etc/" + name]);
        }

        command.AddRange(["--ro-bind", Path.Combine(files.Shared, "hand"), HandInside]);
    }

    private static void AddMemory(List<string> command, long bytes, string path) => command.AddRange(
        ["--size", bytes.ToString(CultureInfo.InvariantCulture), "--perms", "1777", "--tmpfs", path]);

    private static void AddSession(List<string> command, SandboxFolder folder) => command.AddRange(
    [
        "--bind", folder.Workspace, "/workspace",
        "--ro-bind", folder.Uploads, "/mnt/session/uploads",
        "--bind", folder.Outputs, "/mnt/session/outputs",
        "--symlink", "mnt/session/uploads", "/uploads",
        "--symlink", "mnt/session/outputs", "/outputs",
        "--dir", "/mnt/memory",
        "--bind", folder.Home, Home,
    ]);

    private static void AddEnvironment(List<string> command)
    {
        command.Add("--clearenv");
        foreach (var (name, value) in (ReadOnlySpan<(string, string)>)[
            ("PATH", Home + "/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", Home), ("USER", MadeUpEtc.User), ("LOGNAME", MadeUpEtc.User), ("SHELL", "/bin/bash"),
            ("LANG", "C.UTF-8"), ("TERM", "dumb"), ("TMPDIR", "/tmp")])
        {
            command.AddRange(["--setenv", name, value]);
        }
    }
}
