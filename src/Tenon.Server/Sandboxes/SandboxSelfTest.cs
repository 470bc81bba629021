using System.Globalization;
using System.Text.Json;

namespace Tenon.Server.Sandboxes;

/// <summary>One way out that was tried.</summary>
/// <param name="Held">The sandbox held.</param>
/// <param name="Detail">What the probe saw.</param>
/// <param name="Fix">What to do when it did not hold.</param>
public sealed record ProbeResult(string Name, bool Held, string Detail, string Fix);

/// <summary>
/// Tries the known ways out of a sandbox from inside a throwaway one. Run it before the first session: a kernel or a
/// container runtime around the server can take away what the sandbox rests on.
/// </summary>
public static class SandboxSelfTest
{
    private const int ProbeTimeoutMs = 10_000;

    private const int Stream = 1;
    private const int Datagram = 2;

    private const string Kernel =
        "This kernel or the container around the server weakens the sandbox; run the server on another host, "
        + "or with --allow-unsafe-sandbox where nothing else is at stake.";

    // Python is not on every host, so probes use bash, and perl, which Debian and its kin always have, for sockets.
    private static readonly Probe[] Probes =
    [
        new("host settings are read-only",
            "cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern", Expect.Refused, Kernel),
        new("the host cannot be rebooted by sysrq", "echo h >/proc/sysrq-trigger", Expect.Refused, Kernel),
        new("no user namespace can be made", "unshare --user true", Expect.Refused, Kernel),
        new("nothing can be mounted", "mount -t tmpfs none /tmp", Expect.Refused, Kernel),
        new("no device of the host is there",
            "ls -d /dev/kvm /dev/mem /dev/fuse /dev/vsock /dev/sd* /dev/vd* /dev/nvme*", Expect.Refused, Kernel),
        new("no AF_NETLINK socket", Socket(16, Datagram), Expect.Refused, Kernel),
        new("no AF_PACKET socket", Socket(17, Datagram), Expect.Refused, Kernel),
        new("no AF_VSOCK socket", Socket(40, Stream), Expect.Refused, Kernel),
        new("internet sockets can be made", Socket(2, Stream), Expect.Allowed,
            "The filter refuses what it should allow, or perl is missing: install perl-base."),
        new("no network but loopback", "grep -v -e Inter- -e face -e ' lo:' /proc/net/dev", Expect.Refused, Kernel),
        new("no route out", "tail -n +2 /proc/net/route | grep .", Expect.Refused, Kernel),
        new("no descriptor of the server is inherited",
            "ls /proc/self/fd | grep -v -x -e 0 -e 1 -e 2 -e 3", Expect.Refused, Kernel),
        new("the hand's own descriptors are closed to commands", "ls -l /proc/1/fd/3", Expect.Refused, Kernel),
        new("no process of the host is seen", "test $(ls -d /proc/[0-9]* | wc -l) -gt 6", Expect.Refused, Kernel),
        new("no capability is held", "grep CapEff /proc/self/status | grep -v -e '0000000000000000'",
            Expect.Refused, Kernel),
        new("no new privileges can be gained", "grep -x 'NoNewPrivs:\t1' /proc/self/status", Expect.Allowed, Kernel),
        new("the system is read-only", "touch /usr/probe || touch /etc/probe || touch /probe || touch /dev/probe",
            Expect.Refused, Kernel),
        new("the host's users are not named", "grep -v -e root -e agent -e nobody /etc/passwd", Expect.Refused, Kernel),
    ];

    private enum Expect
    {
        Refused,
        Allowed,
    }

    /// <summary>Runs every probe. A sandbox that does not start at all is one failed probe.</summary>
    public static async Task<IReadOnlyList<ProbeResult>> Run(
        SandboxOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var session = $"selftest-{Guid.NewGuid():N}";
        await using var provider = new BubblewrapProvider(options with { WorkspaceTemplate = null }, time);
        try
        {
            var sandbox = await provider.Open(session, cancellationToken);
            var results = new List<ProbeResult> { Uid(provider, session) };
            foreach (var probe in Probes)
            {
                results.Add(await Try(sandbox, probe, cancellationToken));
            }

            return results;
        }
        catch (SandboxException exception)
        {
            // Reported like a probe, because the caller decides the same way on it.
            return [new ProbeResult("a sandbox starts", false, exception.Message, "See `tenon doctor`.")];
        }
        finally
        {
            await provider.Destroy(session, CancellationToken.None);
        }
    }

    /// <summary>Judged from outside: inside, every sandbox believes to be uid 1000.</summary>
    private static ProbeResult Uid(BubblewrapProvider provider, string session)
    {
        var pid = provider.FolderOf(session).ReadRecord()!.Pid;
        var uids = File.ReadLines($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/status")
            .First(line => line.StartsWith("Uid:", StringComparison.Ordinal))
            .Split('\t', StringSplitOptions.RemoveEmptyEntries)[1..];
        return new ProbeResult(
            "the sandbox is not root outside", !uids.Contains("0"), $"uids {string.Join(' ', uids)}", Kernel);
    }

    private static async Task<ProbeResult> Try(ISandbox sandbox, Probe probe, CancellationToken cancellationToken)
    {
        var input = JsonSerializer.SerializeToElement(new Dictionary<string, object>
        {
            ["command"] = $"( {probe.Command} )",
            ["timeout_ms"] = ProbeTimeoutMs,
        });
        var output = await sandbox.Call(new SandboxCall($"probe {probe.Name}", "bash", input), cancellationToken);
        var text = string.Concat(output.Content.OfType<Tenon.Wire.Content.TextBlock>().Select(block => block.Text));
        // A probe that could not be made has proved nothing.
        var tried = !text.Contains("command not found", StringComparison.Ordinal);
        var held = tried && output.IsError == (probe.Expected == Expect.Refused);
        return new ProbeResult(
            probe.Name, held, text.ReplaceLineEndings(" "),
            tried ? probe.Fix : "apt-get install -y util-linux mount perl-base grep coreutils");
    }

    private static string Socket(int family, int type) =>
        $"perl -e 'socket(my $s, {family}, {type}, 0) or die \"$!\\n\"'";

    private sealed record Probe(string Name, string Command, Expect Expected, string Fix);
}
