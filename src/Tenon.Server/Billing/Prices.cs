using System.Globalization;
using Tenon.Server.Models;
using Tenon.Wire.Agents;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Billing;

/// <summary>
/// List prices in US dollars (api H): <c>prices.json</c> beside this file, with an operator's file over it.
/// </summary>
public sealed class Prices
{
    private const decimal MillisecondsPerHour = 3_600_000m;
    private const decimal SearchesPerUnit = 1_000m;

    private readonly IReadOnlyList<ModelPrice> _models;

    private Prices(PriceFile file)
    {
        SessionHour = file.SessionHour ?? 0;
        ThousandSearches = file.ThousandSearches ?? 0;
        _models = [.. file.Models.OrderByDescending(price => price.Model.Length)];
    }

    /// <summary>The prices that Tenon comes with.</summary>
    public static Prices Default { get; } = new(PriceFile.Embedded());

    /// <summary>For an hour of running.</summary>
    public decimal SessionHour { get; }

    /// <summary>For a thousand web searches.</summary>
    public decimal ThousandSearches { get; }

    /// <summary>The default prices with those of an operator's file in their place.</summary>
    public static Prices With(PriceFile file) => new(PriceFile.Embedded().With(file));

    /// <summary>Whether the model has a price; a budget needs one.</summary>
    public bool Has(string model) => Find(model) is not null;

    /// <summary>The exact cost of one request; null when the model has no price.</summary>
    public decimal? RequestUsd(ModelConfig model, ModelUsage usage) => Find(model.Id) is not { } price
        ? null
        : (model.Speed == "fast" && price.Fast is { } fast ? fast : price.Standard).Of(usage);

    /// <summary>The exact cost of so many web searches.</summary>
    public decimal SearchesUsd(long searches) => searches * ThousandSearches / SearchesPerUnit;

    /// <summary>The exact cost of running for so long at this price for an hour.</summary>
    public static decimal RunningUsd(long milliseconds, decimal sessionHour) =>
        milliseconds * sessionHour / MillisecondsPerHour;

    /// <summary>Rounded to the nearest cent.</summary>
    public static Money ToMoney(decimal usd) => Money.Usd(
        decimal.Round(usd * 100, MidpointRounding.AwayFromZero).ToString("0", CultureInfo.InvariantCulture));

    /// <summary>What a checked amount of the wire is in US dollars.</summary>
    public static decimal ToUsd(Money money) => decimal.Parse(money.Amount, CultureInfo.InvariantCulture) / 100;

    private ModelPrice? Find(string model) =>
        _models.FirstOrDefault(price => model.StartsWith(price.Model, StringComparison.Ordinal));
}
