using Microsoft.Extensions.Time.Testing;
using System.Reflection;
using Tenon.Wire;
using Xunit;

namespace Tenon.Server.Tests.Wire;

public sealed class IdTests
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public static TheoryData<string> Prefixes =>
    [
        .. typeof(IdPrefix).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(prefix => (string)prefix.GetValue(null)!),
    ];

    [Theory]
    [MemberData(nameof(Prefixes))]
    public void An_id_is_a_prefix_and_22_letters_and_digits(string prefix)
    {
        var id = new IdSource(_clock).Next(prefix);

        Assert.Matches("^[a-z]+_$", prefix);
        Assert.Matches($"^{prefix}[1-9A-HJ-NP-Za-km-z]{{22}}$", id);
    }

    [Fact]
    public void Prefixes_differ() => Assert.Equal(Prefixes.Count, Prefixes.Select(row => row.Data).Distinct().Count());

    [Fact]
    public void Ids_sort_by_the_time_they_were_made()
    {
        var source = new IdSource(_clock);
        var ids = new List<string>();
        for (var i = 0; i < 1_000; i++)
        {
            ids.Add(source.Next(IdPrefix.Event));
            _clock.Advance(TimeSpan.FromMilliseconds(i % 3 * 500_000L));
        }

        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
    }

    [Fact]
    public void More_ids_than_one_millisecond_counts_still_sort()
    {
        var source = new IdSource(_clock);

        var ids = Enumerable.Range(0, 70_000).Select(_ => source.Next(IdPrefix.Event)).ToList();

        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [Fact]
    public void A_clock_that_is_set_back_does_not_break_the_order()
    {
        var source = new IdSource(_clock);
        var before = source.Next(IdPrefix.Event);
        _clock.AdjustTime(_clock.GetUtcNow().AddHours(-1));

        var after = source.Next(IdPrefix.Event);

        Assert.True(string.CompareOrdinal(before, after) < 0);
    }

    [Fact]
    public void Threads_that_make_ids_at_once_never_make_the_same()
    {
        var source = new IdSource(_clock);
        var ids = new string[8][];

        Parallel.For(0, ids.Length, thread =>
            ids[thread] = [.. Enumerable.Range(0, 5_000).Select(_ => source.Next(IdPrefix.Event))]);

        Assert.Equal(40_000, ids.SelectMany(made => made).Distinct().Count());
        Assert.All(ids, made => Assert.Equal(made.Order(StringComparer.Ordinal), made));
    }
}
