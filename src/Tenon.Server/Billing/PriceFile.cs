using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Server.Models;

namespace Tenon.Server.Billing;

/// <summary>A file of list prices in US dollars. What an operator's file leaves out keeps its default.</summary>
public sealed record PriceFile
{
    /// <summary>For an hour of running.</summary>
    public decimal? SessionHour { get; init; }

    /// <summary>For a thousand web searches.</summary>
    public decimal? ThousandSearches { get; init; }

    public IReadOnlyList<ModelPrice> Models { get; init => field = value ?? []; } = [];

    public static PriceFile Embedded()
    {
        using var stream = typeof(PriceFile).Assembly.GetManifestResourceStream("prices.json")
            ?? throw new InvalidOperationException("prices.json is not embedded in the server.");
        return JsonSerializer.Deserialize(stream, PriceJson.Default.PriceFile)!;
    }

    /// <exception cref="JsonException">It is not JSON, or has other members than this.</exception>
    /// <exception cref="InvalidDataException">Its prices cannot be meant.</exception>
    public static PriceFile Parse(string json)
    {
        var file = JsonSerializer.Deserialize(json, PriceJson.Default.PriceFile)
            ?? throw new InvalidDataException("null is not a price list.");
        return file.Wrong() is { } wrong ? throw new InvalidDataException(wrong) : file;
    }

    /// <summary>These prices, with the other's in place of those for the same model prefix.</summary>
    public PriceFile With(PriceFile other) => new()
    {
        SessionHour = other.SessionHour ?? SessionHour,
        ThousandSearches = other.ThousandSearches ?? ThousandSearches,
        Models = [.. other.Models, .. Models.Where(price => other.Models.All(own => own.Model != price.Model))],
    };

    private string? Wrong()
    {
        if (Models.Any(price => price is null || price.Model.Length == 0))
        {
            return "every entry of models needs a 'model', the beginning of the ids that it is for.";
        }

        var twice = Models.GroupBy(price => price.Model).FirstOrDefault(prices => prices.Count() > 1);
        return twice is not null ? $"'{twice.Key}' has two prices."
            : SessionHour < 0 || ThousandSearches < 0 || Models.Any(price => price.IsNegative)
                ? "a price is below zero."
                : null;
    }
}

/// <summary>US dollars a million tokens; what the cache reads and writes costs as input unless it is given.</summary>
public sealed record TokenPrice
{
    private const decimal TokensPerUnit = 1_000_000m;

    public required decimal Input { get; init; }

    public required decimal Output { get; init; }

    public decimal? CacheRead { get; init; }

    public decimal? CacheWrite5m { get; init; }

    public decimal? CacheWrite1h { get; init; }

    [JsonIgnore]
    public bool IsNegative =>
        Input < 0 || Output < 0 || CacheRead < 0 || CacheWrite5m < 0 || CacheWrite1h < 0;

    /// <summary>The exact cost of one request.</summary>
    public decimal Of(ModelUsage usage) =>
        ((usage.InputTokens * Input)
            + (usage.OutputTokens * Output)
            + (usage.CacheReadTokens * (CacheRead ?? Input))
            + (usage.CacheWrite5mTokens * (CacheWrite5m ?? Input))
            + (usage.CacheWrite1hTokens * (CacheWrite1h ?? Input))) / TokensPerUnit;
}

/// <summary>For models whose id starts with <see cref="Model"/>; the longest match counts.</summary>
public sealed record ModelPrice
{
    public required string Model { get; init; }

    public required TokenPrice Standard { get; init; }

    /// <summary>Instead, for requests at speed <c>fast</c>; null when the model has no such price.</summary>
    public TokenPrice? Fast { get; init; }

    [JsonIgnore]
    public bool IsNegative => Standard.IsNegative || Fast?.IsNegative == true;
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true)]
[JsonSerializable(typeof(PriceFile))]
internal sealed partial class PriceJson : JsonSerializerContext;
