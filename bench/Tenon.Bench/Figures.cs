namespace Tenon.Bench;

/// <summary>Samples of one measure, in milliseconds.</summary>
internal sealed class Figures(string name)
{
    private readonly List<double> _samples = [];

    public string Name => name;

    public double P50 => At(0.50);

    public TimeSpan Last { get; private set; }

    public void Add(TimeSpan sample) => _samples.Add((Last = sample).TotalMilliseconds);

    public double At(double share)
    {
        _samples.Sort();
        return _samples[(int)Math.Min(_samples.Count - 1, share * _samples.Count)];
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    public override string ToString() => BenchRun.Invariant(
        $"{name,-44} p50 {P50,7:0.00} ms   p95 {At(0.95),7:0.00} ms   p99 {At(0.99),7:0.00} ms   n {_samples.Count}");
}
