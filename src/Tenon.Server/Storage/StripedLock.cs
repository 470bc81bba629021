namespace Tenon.Server.Storage;

/// <summary>
/// Lets one piece of work at a time run for each key, by a fixed number of locks: two keys may share one, which only
/// costs them time.
/// </summary>
public sealed class StripedLock : IDisposable
{
    private const int Stripes = 32;

    private readonly SemaphoreSlim[] _stripes =
        [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1, 1))];

    /// <summary>Waits for the key's turn, which lasts until what is returned is disposed of.</summary>
    public async Task<IDisposable> Enter(string key, CancellationToken cancellationToken)
    {
        var stripe = _stripes[(uint)key.GetHashCode(StringComparison.Ordinal) % Stripes];
        await stripe.WaitAsync(cancellationToken);
        return new Turn(stripe);
    }

    public void Dispose() => Array.ForEach(_stripes, stripe => stripe.Dispose());

    private sealed class Turn(SemaphoreSlim stripe) : IDisposable
    {
        public void Dispose() => stripe.Release();
    }
}
