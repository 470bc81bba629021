using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Server.Models;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Billing;

/// <summary>
/// List prices, from <c>prices.json</c> beside this file (api H). A model without a price costs nothing.
/// </summary>
public static class Prices
{
    /// <summary>US dollars for an hour of running.</summary>
    private const decimal SessionHourUsd = 0.08m;

    private const decimal MillisecondsPerHour = 3_600_000m;
    private const decimal TokensPerUnit = 1_000_000m;

    private static readonly IReadOnlyList<ModelPrice> Table = Load();

    /// <summary>The exact cost of one request, in US dollars.</summary>
    public static decimal RequestUsd(string model, ModelUsage usage) =>
        Table.FirstOrDefault(price => model.StartsWith(price.Model, StringComparison.Ordinal)) is not { } price
            ? 0
            : ((usage.InputTokens * price.Input)
                + (usage.OutputTokens * price.Output)
                + (usage.CacheReadTokens * price.CacheRead)
                + (usage.CacheWrite5mTokens * price.CacheWrite5m)
                + (usage.CacheWrite1hTokens * price.CacheWrite1h)) / TokensPerUnit;

    /// <summary>The exact cost of running for so long, in US dollars.</summary>
    public static decimal RunningUsd(long milliseconds) => milliseconds * SessionHourUsd / MillisecondsPerHour;

    /// <summary>Rounded to the nearest cent.</summary>
    public static Money ToMoney(decimal usd) => new()
    {
        Amount = decimal.Round(usd * 100, MidpointRounding.AwayFromZero).ToString("0", CultureInfo.InvariantCulture),
    };

    private static IReadOnlyList<ModelPrice> Load()
    {
        using var stream = typeof(Prices).Assembly.GetManifestResourceStream("prices.json")
            ?? throw new InvalidOperationException("prices.json is not embedded in the server.");
        var prices = JsonSerializer.Deserialize(stream, PriceJson.Default.IReadOnlyListModelPrice)!;
        return [.. prices.OrderByDescending(price => price.Model.Length)];
    }
}

/// <summary>
/// US dollars a million tokens, for models whose id starts with <see cref="Model"/>; the longest match counts.
/// </summary>
public sealed record ModelPrice
{
    public required string Model { get; init; }

    public required decimal Input { get; init; }

    public required decimal Output { get; init; }

    public required decimal CacheRead { get; init; }

    public required decimal CacheWrite5m { get; init; }

    public required decimal CacheWrite1h { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<ModelPrice>))]
internal sealed partial class PriceJson : JsonSerializerContext;
