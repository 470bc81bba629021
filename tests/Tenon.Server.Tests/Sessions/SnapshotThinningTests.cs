using Tenon.Server.Harness;
using Tenon.Server.Sessions;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

public sealed class SnapshotThinningTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(31)]
    public void Few_snapshots_all_stay(int count) => Assert.Equal(count, SnapshotThinning.Stay(Made(count)).Count);

    [Fact]
    public void Of_many_the_first_the_newest_and_some_between_stay()
    {
        var stay = SnapshotThinning.Stay(Made(1_000));

        Assert.Equal(SnapshotThinning.Most - 1, stay.Count);
        Assert.Contains("snap_0", stay);
        Assert.Superset(Enumerable.Range(985, 15).Select(i => $"snap_{i}").ToHashSet(), stay.ToHashSet());
        Assert.Contains(stay, id => int.Parse(id[5..]) is > 300 and < 700);
    }

    [Fact]
    public void What_has_gone_never_comes_back()
    {
        var before = SnapshotThinning.Stay(Made(200)).ToHashSet();

        var after = SnapshotThinning.Stay(Made(201)).ToHashSet();

        Assert.Empty(after.Except(before).Except(["snap_200"]));
    }

    private static List<SnapshotTaken> Made(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new SnapshotTaken($"snap_{i}", (i + 1) * 10))];
}
