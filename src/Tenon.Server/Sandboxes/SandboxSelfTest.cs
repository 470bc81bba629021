using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tenon.Wire.Content;

namespace Tenon.Server.Sandboxes;

/// <summary>
/// Tries the known ways out of a sandbox from inside a throwaway one. Run it before the first session: a kernel or a
/// container runtime around the server can take away what the sandbox rests on.
/// </summary>
public static class SandboxSelfTest
{
    /// <summary>Most take milliseconds; a shell that cannot fork tries again for a quarter of a minute.</summary>
    private const int CommandMs = 30_000;

    private static readonly TimeSpan MatchTime = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The probes that matter most. A sandbox that does not start at all is one failed probe, and so is a probe that
    /// could not be made: it has proved nothing.
    /// </summary>
    public static async Task<IReadOnlyList<ProbeResult>> Run(
        SandboxOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        // On folders, which are there at once: the size of a disk is not among what is tried at every start.
        var usual = options with { WorkspaceTemplate = null, DiskBytes = 0 };
        var results = await InSandbox(usual, time, probe => probe.AtStart, cancellationToken);
        return [.. results.Select(result => result with { Held = result.Outcome == ProbeOutcome.Held })];
    }

    /// <summary>Every probe, in the order of their numbers. It takes seconds.</summary>
    public static async Task<IReadOnlyList<ProbeResult>> RunAll(
        SandboxOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        var usual = options with { WorkspaceTemplate = null };
        var narrow = SandboxProbes.Narrow(usual);
        IEnumerable<ProbeResult> results =
        [
            .. await InSandbox(usual, time, probe => !probe.InNarrow, cancellationToken),
            .. await InSandbox(narrow, time, probe => probe.InNarrow, cancellationToken),
        ];
        return [.. results.OrderBy(result => SubjectOf(result.Number))
            .ThenBy(result => result.Number, StringComparer.Ordinal)];
    }

    private static int SubjectOf(string number) =>
        int.Parse(number.TrimEnd('a', 'b', 'c', 'd'), CultureInfo.InvariantCulture);

    private static async Task<IReadOnlyList<ProbeResult>> InSandbox(
        SandboxOptions options, TimeProvider time, Func<SandboxProbe, bool> chosen, CancellationToken cancellationToken)
    {
        var session = $"selftest-{Guid.NewGuid():N}";
        await using var proxy = new ProbeProxy(time);
        await using var provider = new SandboxProvider(options, time, null, proxy.Proxy);
        try
        {
            using var stage = new ProbeStage(provider, proxy, session);
            var results = new List<ProbeResult>();
            ISandbox? sandbox = null;
            foreach (var probe in SandboxProbes.All(stage).Where(chosen))
            {
                if (sandbox is not HandSandbox { IsAlive: true })
                {
                    sandbox = await provider.Open(session, cancellationToken);
                    stage.Prepare();
                }

                results.Add(await Try(sandbox, probe, stage, cancellationToken));
            }

            return results;
        }
        catch (SandboxException exception)
        {
            // Reported like a probe, because the caller decides the same way on it.
            return [new ProbeResult("a sandbox starts", false, exception.Message, "See `tenon doctor`.")
            {
                Number = "0",
            }];
        }
        finally
        {
            await provider.Destroy(session, CancellationToken.None);
        }
    }

    private static async Task<ProbeResult> Try(
        ISandbox sandbox, SandboxProbe probe, ProbeStage stage, CancellationToken cancellationToken)
    {
        if (probe.NotTried is { } reason)
        {
            return Result(probe, ProbeOutcome.NotTried, reason);
        }

        var answer = await Ask(sandbox, probe.Number, "bash", new
        {
            command = $"( {probe.How} )",
            timeout_ms = CommandMs,
        }, cancellationToken);
        // A probe whose program is missing has proved nothing, whatever else it says.
        if (answer.Contains("command not found", StringComparison.Ordinal))
        {
            return Result(probe, ProbeOutcome.NotTried, answer);
        }

        if (probe.Tool is { } tool)
        {
            answer = await Ask(sandbox, $"{probe.Number}-{tool.Name}", tool.Name, tool.Input, cancellationToken);
        }
        else if (probe.Outside is { } look)
        {
            answer = await look(stage);
        }

        var held = Regex.IsMatch(answer, probe.Answer, RegexOptions.None, MatchTime);
        return Result(probe, held ? ProbeOutcome.Held : ProbeOutcome.Failed, answer);
    }

    private static async Task<string> Ask(
        ISandbox sandbox, string id, string tool, object input, CancellationToken cancellationToken)
    {
        var call = new SandboxCall($"probe-{id}", tool, JsonSerializer.SerializeToElement(input));
        try
        {
            var output = await sandbox.Call(call, cancellationToken);
            return string.Concat(output.Content.OfType<TextBlock>().Select(block => block.Text));
        }
        catch (SandboxException)
        {
            // That is an answer too. The next probe is made in another sandbox.
            return SandboxProbe.Ended;
        }
    }

    private static ProbeResult Result(SandboxProbe probe, ProbeOutcome outcome, string detail)
    {
        const int DetailCharsMax = 300;
        var shown = detail.ReplaceLineEndings(" ");
        return new ProbeResult(
            probe.Name, outcome != ProbeOutcome.Failed,
            shown.Length > DetailCharsMax ? shown[..DetailCharsMax] + " …" : shown,
            outcome == ProbeOutcome.NotTried ? "apt-get install -y util-linux mount grep coreutils" : probe.Fix)
        {
            Number = probe.Number,
            Outcome = outcome,
        };
    }
}
