using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Sessions;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>How often a session that writes is looked at, by a clock that only looks and this test move.</summary>
public sealed class LooksTests : IDisposable
{
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(200);

    private readonly FakeTimeProvider _clock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<DateTimeOffset> _looked = [];
    private readonly Looks _looks;

    public LooksTests()
    {
        _looks = new Looks(Look, (_, _) => { }, _clock);
        _looks.Start(_stop.Token);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _looks.Dispose();
        _stop.Dispose();
    }

    [Fact]
    public async Task A_slow_look_makes_nobody_wait_and_looks_without_end_take_no_more_than_a_tenth()
    {
        const int Many = 40;
        for (var looks = 1; looks <= 3; looks++)
        {
            _looks.Hear("sesn_1");
            await Until(looks, TimeSpan.Zero);
        }

        // What three slow ones have taken is all that a quiet session has.
        Assert.Equal(2 * Slow, _looked[2] - _looked[0]);
        for (var looks = 4; looks <= Many; looks++)
        {
            _looks.Hear("sesn_1");
            await Until(looks, TimeSpan.FromMilliseconds(10));
        }

        // Not more than that: how much less depends on how soon this test's clock is looked at.
        Assert.InRange((_looked[^1] - _looked[0]) / (Many * Slow), 9, double.MaxValue);
    }

    private Task<bool> Look(string sessionId, CancellationToken cancellationToken)
    {
        lock (_looked)
        {
            _looked.Add(_clock.GetUtcNow());
        }

        _clock.Advance(Slow);
        return Task.FromResult(true);
    }

    private async Task Until(int looks, TimeSpan step)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TestStream.Patience);
        while (Count() < looks)
        {
            patience.Token.ThrowIfCancellationRequested();
            _clock.Advance(step);
            await Task.Yield();
        }
    }

    private int Count()
    {
        lock (_looked)
        {
            return _looked.Count;
        }
    }
}
