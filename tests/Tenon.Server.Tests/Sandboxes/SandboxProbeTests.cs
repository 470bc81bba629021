using System.Globalization;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

public sealed class SandboxProbeTests
{
    private const int Subjects = 46;

    /// <summary>What this version has no part to try it on, or does not bound; the documentation says so.</summary>
    private static readonly string[] NotTriedAnywhere = ["35"];

    /// <summary>What needs control groups, or disks.</summary>
    private static readonly string[] NeedsRoot = ["2", "3b", "4", "6"];

    public static TheoryData<string> Drivers => [.. SandboxLab.Drivers];

    [Theory]
    [MemberData(nameof(Drivers))]
    public async Task Every_known_way_out_is_tried_and_none_is_open(string driver)
    {
        await using var lab = new SandboxLab();

        var results = await SandboxSelfTest.RunAll(
            SandboxLab.With(Options(lab), driver), TimeProvider.System, SandboxLab.Cancelled);

        Assert.Equal([], results.Where(result => result.Outcome == ProbeOutcome.Failed));
        Assert.Equal(
            Enumerable.Range(1, Subjects),
            results.Select(result => SubjectOf(result.Number)).Distinct());
        var notTried = results.Where(result => result.Outcome == ProbeOutcome.NotTried)
            .Select(result => result.Number).ToList();
        Assert.Empty(NotTriedAnywhere.Except(notTried));
        Assert.Empty(notTried.Except(NotTriedAnywhere).Except(NeedsRoot));
    }

    [Fact]
    public async Task The_documentation_has_a_row_for_every_probe()
    {
        await using var lab = new SandboxLab();
        await using var proxy = new ProbeProxy(TimeProvider.System);
        using var stage = new ProbeStage(lab.Provider, proxy, "sesn_1");
        var page = SourceTree.Files.Single(file => file.Path == "docs/operations/security.md").Text;

        var rows = page.Split('\n').Select(line => string.Join(" | ", line.Split(" | ").Take(3)));

        Assert.Empty(SandboxProbes.All(stage)
            .Select(probe => $"| {probe.Number} | {probe.Name} | {probe.Must}").Except(rows));
    }

    private static int SubjectOf(string number) =>
        int.Parse(number.TrimEnd('a', 'b', 'c', 'd'), CultureInfo.InvariantCulture);

    private static SandboxOptions Options(SandboxLab lab) =>
        new() { DataDirectory = lab.DataDirectory, HandPath = SandboxLab.HandPath };
}
