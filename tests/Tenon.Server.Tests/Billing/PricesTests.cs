using System.Collections;
using Tenon.Server.Billing;
using Tenon.Server.Configuration;
using Tenon.Server.Models;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Xunit;

namespace Tenon.Server.Tests.Billing;

public sealed class PricesTests : IDisposable
{
    private static readonly ModelUsage Million = new() { InputTokens = 1_000_000, OutputTokens = 1_000_000 };

    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Tokens_are_priced_by_cache_class()
    {
        var usage = new ModelUsage
        {
            InputTokens = 1_000_000,
            OutputTokens = 100_000,
            CacheReadTokens = 10_000,
            CacheWrite5mTokens = 1_000,
            CacheWrite1hTokens = 100,
        };

        Assert.Equal(5 + 2.5m + 0.005m + 0.00625m + 0.001m, Usd("claude-opus-5", usage));
    }

    [Theory]
    [InlineData("claude-opus-5", 30)]
    [InlineData("claude-opus-4-8", 30)]
    [InlineData("claude-opus-4-1-20250805", 90)]
    [InlineData("claude-opus-4-20250514", 90)]
    [InlineData("claude-sonnet-5", 12)]
    [InlineData("claude-haiku-4-5-20251001", 6)]
    public void The_longest_prefix_of_a_models_id_gives_its_price(string model, decimal usd) =>
        Assert.Equal(usd, Usd(model, Million));

    [Theory]
    [InlineData("claude-opus-5", 60)]
    [InlineData("claude-opus-4-8", 60)]
    [InlineData("claude-opus-4-6", 30)]
    public void Fast_requests_cost_more_where_there_is_a_price_for_them(string model, decimal usd) =>
        Assert.Equal(usd, Prices.Default.RequestUsd(new ModelConfig { Id = model, Speed = "fast" }, Million));

    [Fact]
    public void A_model_that_is_not_in_the_table_has_no_price() => Assert.Null(Usd("gpt-5", Million));

    [Theory]
    [InlineData(0.704, "70")]
    [InlineData(0.705, "71")]
    [InlineData(0.00499, "0")]
    [InlineData(0.005, "1")]
    public void Money_is_rounded_to_the_nearest_cent(decimal usd, string cents) =>
        Assert.Equal((cents, "USD"), (Prices.ToMoney(usd).Amount, Prices.ToMoney(usd).Currency));

    [Fact]
    public void Running_and_searches_have_the_documented_prices()
    {
        Assert.Equal((0.08m, 10m), (Prices.Default.SessionHour, Prices.Default.ThousandSearches));
        Assert.Equal(0.03m, Prices.Default.SearchesUsd(3));
        Assert.Equal(0.02m, Prices.RunningUsd(900_000, Prices.Default.SessionHour));
    }

    [Fact]
    public void An_operators_file_replaces_what_it_names_and_leaves_the_rest()
    {
        var prices = Read("""
            {
              // what we pay
              "session_hour": 0,
              "models": [
                { "model": "claude-opus-5", "standard": { "input": 1, "output": 2 } },
                { "model": "gpt-", "standard": { "input": 3, "output": 4, "cache_read": 0.5 } },
              ],
            }
            """);

        Assert.Equal((0m, 10m), (prices.SessionHour, prices.ThousandSearches));
        Assert.Equal(3, prices.RequestUsd(new ModelConfig { Id = "claude-opus-5" }, Million));
        Assert.Equal(7, prices.RequestUsd(new ModelConfig { Id = "gpt-5" }, Million));
        Assert.Equal(12, prices.RequestUsd(new ModelConfig { Id = "claude-sonnet-5" }, Million));
    }

    [Fact]
    public void What_the_cache_reads_costs_as_input_when_the_file_does_not_say()
    {
        var prices = Read("""{"models":[{"model":"own","standard":{"input":3,"output":4}}]}""");

        Assert.Equal(
            6, prices.RequestUsd(
                new ModelConfig { Id = "own" },
                new ModelUsage { CacheReadTokens = 1_000_000, CacheWrite5mTokens = 1_000_000 }));
    }

    [Theory]
    [InlineData("""{"session_hours":1}""", "session_hours")]
    [InlineData("""{"models":[{"model":"m","standard":{"input":1,"output":2,"cached":3}}]}""", "cached")]
    [InlineData("""{"models":[{"model":"m","standard":{"input":1}}]}""", "output")]
    [InlineData("""{"models":[{"model":"m","standard":{"input":-1,"output":2}}]}""", "a price is below zero.")]
    [InlineData("""{"models":[{"model":"","standard":{"input":1,"output":2}}]}""", "needs a 'model'")]
    [InlineData("""{"models":[null]}""", "needs a 'model'")]
    [InlineData("""
        {"models":[{"model":"m","standard":{"input":1,"output":2}},{"model":"m","standard":{"input":1,"output":2}}]}
        """, "'m' has two prices.")]
    [InlineData("""{"session_hour":"cheap"}""", "session_hour")]
    [InlineData("null", "null is not a price list.")]
    [InlineData("{", "")]
    public void A_file_that_is_no_price_list_is_refused_with_its_path(string json, string message)
    {
        var refusal = Assert.Throws<SettingsException>(() => Read(json));

        Assert.StartsWith($"{File}: ", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_there_is_refused_with_its_path() =>
        Assert.StartsWith(
            $"{File}: ",
            Assert.Throws<SettingsException>(() => SettingsReader.Read(["--prices", File], new Hashtable())).Message,
            StringComparison.Ordinal);

    [Fact]
    public void The_setting_is_a_flag_a_variable_and_a_key()
    {
        System.IO.File.WriteAllText(File, """{"session_hour":1}""");
        var config = Path.Combine(_temp.Path, "tenon.json");
        System.IO.File.WriteAllText(config, $$"""{"billing":{"prices":"{{File}}"} }""");

        Assert.Equal(1, SettingsReader.Read(["--prices", File], new Hashtable()).Prices.SessionHour);
        Assert.Equal(1, SettingsReader.Read([], new Hashtable { ["TENON_PRICES"] = File }).Prices.SessionHour);
        Assert.Equal(1, SettingsReader.Read(["--config", config], new Hashtable()).Prices.SessionHour);
        Assert.Equal(0.08m, SettingsReader.Read([], new Hashtable()).Prices.SessionHour);
    }

    private string File => Path.Combine(_temp.Path, "prices.json");

    private Prices Read(string json)
    {
        System.IO.File.WriteAllText(File, json);
        return SettingsReader.Read(["--prices", File], new Hashtable()).Prices;
    }

    private static decimal? Usd(string model, ModelUsage usage) =>
        Prices.Default.RequestUsd(new ModelConfig { Id = model }, usage);
}
