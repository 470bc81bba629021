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
    private const int GateDescriptor = 6;

    private const string Home = "/home/" + SandboxEtc.User;
    /// <summary>The hand, as a command in a sandbox finds it.</summary>
    public const string HandInside = "/run/tenon/hand";

    private const string InsideUid = "1000";
    private static readonly Version CountsByNamespace = new(5, 14);

    /// <summary>
    /// What the kernel tells everyone about the host: how it was booted, where its code lies, its keys, and the beat
    /// of its devices, from which typing can be told. Inside, they are empty.
    /// </summary>
    internal static IReadOnlyList<string> Masked { get; } =
        ["/proc/cmdline", "/proc/kallsyms", "/proc/keys", "/proc/interrupts"];

    private static readonly string[] TopDirectories = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

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
            "--block-fd", $"{GateDescriptor}",
            HandInside, instance,
            ProcessesMax(uid),
        ]);
        return command;
    }

    // Before Linux 5.14 processes were counted over all namespaces of a uid: where every sandbox has the server's
    // own uid, one would starve the others and the server.
    private string ProcessesMax(int? uid) => uid is not null || Environment.OSVersion.Version >= CountsByNamespace
        ? options.ProcessesMax.ToString(CultureInfo.InvariantCulture)
        : "0";

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
        foreach (var path in Masked.Where(File.Exists))
        {
            command.AddRange(["--ro-bind", Path.Combine(files.Shared, SandboxFiles.EmptyName), path]);
        }

        AddMemory(command, options.SharedMemoryBytes, "/dev/shm");
        AddMemory(command, options.TmpBytes, "/tmp");
        command.AddRange(["--symlink", "/tmp", "/var/tmp"]);
        command.AddRange(["--ro-bind", files.Etc, "/etc"]);
        foreach (var name in SandboxEtc.Mounted)
        {
            command.AddRange(["--ro-bind", "/etc/" + name, "/etc/" + name]);
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
            ("HOME", Home), ("USER", SandboxEtc.User), ("LOGNAME", SandboxEtc.User), ("SHELL", "/bin/bash"),
            ("LANG", "C.UTF-8"), ("TERM", "dumb"), ("TMPDIR", "/tmp")])
        {
            command.AddRange(["--setenv", name, value]);
        }
    }
}
