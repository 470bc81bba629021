using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>One run of some benchmarks: what they run on, and the table of what they measured.</summary>
/// <param name="postgres">A connection string; null for SQLite.</param>
internal sealed class BenchRun(string? postgres)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    private readonly List<Measure> _measures = [];

    public string? Postgres => postgres;

    public Task<BenchServer> StartServer(
        Func<JsonElement, Reply> model, Action<IServiceCollection>? replace = null) =>
        BenchServer.Start(model, postgres, replace);

    public static void PrintHeader()
    {
        Console.WriteLine("| measure | here | to reach | floor | ratio | verdict |");
        Console.WriteLine("|---|---|---|---|---|---|");
    }

    /// <summary>Adds a line to the table, and prints it.</summary>
    public void Add(Measure measure)
    {
        _measures.Add(measure);
        Console.WriteLine(measure);
    }

    /// <summary>Adds a share of the times of one measure, such as its median.</summary>
    /// <param name="reachMs">At most this many milliseconds; null sets nothing to reach.</param>
    public void Add(string name, Figures figures, double share, double? reachMs = null) => Add(new Measure
    {
        Name = name, What = Invariant($"{figures.Name}, p{share * 100:0}"),
        Here = figures.At(share), Unit = "ms", Reach = reachMs,
    });

    public async Task Write(string file)
    {
        var table = new
        {
            MeasuredAt = TimeProvider.System.GetUtcNow(),
            Cores = Environment.ProcessorCount,
            Database = postgres is null ? "SQLite" : "PostgreSQL",
            Measures = _measures,
        };
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(table, Json) + "\n");
    }

    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A line of the table.</summary>
internal sealed record Measure
{
    /// <summary>The benchmark, as it is named on the command line.</summary>
    public required string Name { get; init; }

    public required string What { get; init; }

    public required double Here { get; init; }

    public required string Unit { get; init; }

    /// <summary>What <see cref="Here"/> is to be: at most this, or at least if more is better.</summary>
    public double? Reach { get; init; }

    /// <summary>What <see cref="Ratio"/> is to be, in the same sense.</summary>
    public double? ReachRatio { get; init; }

    public bool MoreIsBetter { get; init; }

    /// <summary>The same work without Tenon, in the same run.</summary>
    public double? Floor { get; init; }

    public string? FloorIs { get; init; }

    /// <summary>To the floor. The median over rounds where a round has one of each.</summary>
    public double? Ratio { get; init; }

    public string? Verdict => (Reach, ReachRatio) is (null, null) ? null
        : IsReached(Here, Reach) && IsReached(Ratio, ReachRatio) ? "reached" : "not reached";

    public override string ToString()
    {
        var sense = MoreIsBetter ? "at least" : "at most";
        var reach = Reach is { } r ? $"{sense} {Number(r)} {Unit}"
            : ReachRatio is { } ratio ? $"ratio {sense} {Number(ratio)}" : "";
        var floor = Floor is { } f ? $"{Number(f)} {Unit} {FloorIs}" : "";
        return $"| `{Name}`: {What} | {Number(Here)} {Unit} | {reach} | {floor} | "
            + $"{(Ratio is { } to ? Number(to) : "")} | {Verdict} |";
    }

    private bool IsReached(double? value, double? reach) =>
        reach is null || (MoreIsBetter ? value >= reach : value <= reach);

    /// <summary>Three digits that mean something.</summary>
    private static string Number(double value) => value.ToString(
        Math.Abs(value) switch { >= 100 => "#,0", >= 10 => "0.0", _ => "0.##" }, CultureInfo.InvariantCulture);
}
