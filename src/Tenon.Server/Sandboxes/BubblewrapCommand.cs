using System.Globalization;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// The command by which bubblewrap starts a sandbox. Every argument answers to a way out that was tried; see the
/// README before taking one away.
/// </summary>
internal sealed class BubblewrapCommand(SandboxOptions options, SandboxFiles files)
{
    /// <summary>
    /// The descriptor numbers of <see cref="ChildProcess.Start"/>'s list, after the three standard ones and the hand's.
    /// </summary>
    private const int FilterDescriptor = 4;
    private const int InfoDescriptor = 5;
    private const int GateDescriptor = 6;

    public List<string> Build(SandboxDescription description)
    {
        var command = new List<string>();
        if (description.Uid is { } user)
        {
            // NOTE: bubblewrap must not run as the host's root, which could write /proc/sys from inside.
            var id = user.ToString(CultureInfo.InvariantCulture);
            command.AddRange([options.SetprivPath, "--reuid", id, "--regid", id, "--clear-groups", "--"]);
        }

        command.AddRange(
        [
            options.BubblewrapPath, "--unshare-all", "--unshare-user", "--disable-userns", "--new-session",
            "--uid", $"{SandboxDescription.InsideUid}", "--gid", $"{SandboxDescription.InsideUid}",
            "--hostname", description.Hostname, "--cap-drop", "ALL", "--as-pid-1",
            .. description.Mounts.SelectMany(ArgumentsOf),
            "--clearenv", .. description.Variables.SelectMany(variable =>
                (string[])["--setenv", variable.Name, variable.Value]),
            "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", description.WorkingDirectory,
            "--seccomp", $"{FilterDescriptor}", "--info-fd", $"{InfoDescriptor}",
            "--block-fd", $"{GateDescriptor}",
            .. description.Command,
        ]);
        return command;
    }

    private string[] ArgumentsOf(SandboxMount mount) => mount switch
    {
        SandboxMount.Bind bind => [bind.IsWritable ? "--bind" : "--ro-bind", bind.Source, bind.Path],
        SandboxMount.Memory memory =>
        [
            "--size", memory.Bytes.ToString(CultureInfo.InvariantCulture), "--perms", SandboxMount.Memory.Mode,
            "--tmpfs", memory.Path,
        ],
        SandboxMount.Link link => ["--symlink", link.Target, link.Path],
        SandboxMount.Directory => ["--dir", mount.Path],
        SandboxMount.Processes => ["--proc", mount.Path, "--ro-bind", $"{mount.Path}/sys", $"{mount.Path}/sys"],
        SandboxMount.Devices => ["--dev", mount.Path],
        SandboxMount.Masked => ["--ro-bind", Path.Combine(files.Shared, SandboxFiles.EmptyName), mount.Path],
        _ => throw new NotSupportedException($"bubblewrap cannot make {mount}"),
    };
}
