using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// What is different with <c>runsc</c>: it gives a sandbox a kernel of its own, which takes no listening socket from
/// outside. So the hand makes one, in a folder that only it and the server have, and the server takes both away before
/// it asks the hand for anything. From then on it is as with every driver: a socket outside, and nothing inside that
/// leads to it (decision 26).
/// </summary>
internal static partial class Gvisor
{
    /// <summary>The oldest build that this was tried with. One of 2022 cannot run <c>ls</c>.</summary>
    public const int Oldest = 20240729;

    private const string Word = "runsc";
    private const uint OwnerOnly = 0x180; // 0600

    /// <summary>How long a hand may take to listen: longer, and it has failed.</summary>
    private static readonly TimeSpan MeetingTime = TimeSpan.FromSeconds(15);

    /// <summary>Milliseconds between two looks; the end of the sandbox is seen at once.</summary>
    private const int LookMs = 2;

    /// <summary>
    /// The platform that needs no virtual machine; no network but a loopback of its own; nothing is written to the
    /// image; and sockets of the host, in the folders that are mounted, can be connected to (the proxy's) and made
    /// (the hand's).
    /// </summary>
    public static IReadOnlyList<string> Flags { get; } =
        ["--platform=systrap", "--network=none", "--overlay2=none", "--host-uds=all"];

    public static bool Is(string version) => version.StartsWith(Word, StringComparison.Ordinal);

    /// <summary>Builds are named by their day, as in <c>runsc version 0.0~20240729.0</c>.</summary>
    public static bool IsUsable(string version) => Is(version) && Day().Match(version) is { Success: true } day
        && int.Parse(day.ValueSpan, CultureInfo.InvariantCulture) >= Oldest;

    /// <summary>The same sandbox, whose hand makes its socket, and without gVisor's own <c>/sys</c>.</summary>
    public static SandboxDescription Adapt(SandboxDescription description, OciBundle bundle) => description with
    {
        Command = [.. description.Command, HandProtocol.MeetingSocket],
        Mounts =
        [
            // It makes the devices itself, and none is written to where they are read-only.
            .. description.Mounts.Where(mount => mount is not SandboxMount.Devices),
            new SandboxMount.Bind(bundle.MeetingPath, Path.GetDirectoryName(HandProtocol.MeetingSocket)!)
            {
                IsWritable = true,
            },
            new SandboxMount.Bind(bundle.NothingPath, "/sys"),
        ],
    };

    /// <summary>
    /// Waits until the hand listens and takes its socket to where the server finds it. No command has run yet, because
    /// none is asked for before this returns.
    /// </summary>
    /// <exception cref="SandboxException">The sandbox ended first, or took too long.</exception>
    public static void Meet(OciBundle bundle, SandboxProcess init, SandboxDescription description, string socket)
    {
        var made = Path.Combine(bundle.MeetingPath, Path.GetFileName(HandProtocol.MeetingSocket));
        var start = Stopwatch.GetTimestamp();
        while (!File.Exists(made))
        {
            if (init.EndsWithin(LookMs) || Stopwatch.GetElapsedTime(start) > MeetingTime)
            {
                throw new SandboxException($"The sandbox did not start: {description.Folder.ReadLog()}");
            }
        }

        // The socket stays what it is under another name. Without its folder, nothing can be made there ever again.
        File.Move(made, bundle.SocketPath);
        Directory.Delete(bundle.MeetingPath);
        LinuxCalls.Own(bundle.SocketPath, 0);
        LinuxCalls.Mode(bundle.SocketPath, OwnerOnly);
        File.CreateSymbolicLink(socket, bundle.SocketPath);
    }

    [GeneratedRegex("[0-9]{8}")]
    private static partial Regex Day();
}
