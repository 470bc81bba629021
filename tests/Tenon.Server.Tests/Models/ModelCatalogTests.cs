using Tenon.Server.Models;
using Xunit;

namespace Tenon.Server.Tests.Models;

public sealed class ModelCatalogTests
{
    [Fact]
    public void A_known_model_has_its_sizes()
    {
        var model = ModelCatalog.Default.Find("claude-opus-5");

        Assert.Equal(
            ("Claude Opus 5", "opus", 1_000_000, 128_000, true, "high"),
            (model.DisplayName, model.Line, model.MaxInputTokens, model.MaxTokens, model.AdaptiveThinking,
                model.DefaultEffort));
    }

    [Fact]
    public void An_unknown_model_has_safe_sizes_and_its_id_for_a_name()
    {
        var model = ModelCatalog.Default.Find("llama-3");

        Assert.False(ModelCatalog.Default.Knows("llama-3"));
        Assert.Equal(("llama-3", 200_000, 32_000), (model.DisplayName, model.MaxInputTokens, model.MaxTokens));
        Assert.Null(model.Efforts);
    }

    [Fact]
    public void Ids_are_unique_efforts_are_words_of_the_wire_and_the_demo_model_is_there()
    {
        string[] words = ["low", "medium", "high", "xhigh", "max"];

        var all = ModelCatalog.Default.All;
        Assert.Equal(all.Count, all.Select(model => model.Id).Distinct().Count());
        Assert.All(all, model =>
        {
            Assert.Subset(words.ToHashSet(), model.Efforts!.ToHashSet());
            Assert.True(model.DefaultEffort is null || model.Efforts!.Contains(model.DefaultEffort));
        });
        Assert.True(ModelCatalog.Default.Knows("demo"));
    }
}
