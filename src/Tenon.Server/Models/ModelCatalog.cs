using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tenon.Server.Models;

/// <summary>What is known about models, from the embedded <c>models.json</c>. Immutable.</summary>
public sealed partial class ModelCatalog
{
    /// <summary>
    /// The context of the smallest current Claude; compaction would come too late with a larger guess.
    /// </summary>
    public const int UnknownInputTokensMax = 200_000;

    /// <summary>An answer that every current Claude may give.</summary>
    public const int UnknownOutputTokensMax = 32_000;

    private readonly Dictionary<string, CatalogModel> byId;

    private ModelCatalog(IReadOnlyList<CatalogModel> all)
    {
        All = all;
        byId = all.ToDictionary(model => model.Id, StringComparer.Ordinal);
    }

    public static ModelCatalog Default { get; } = Load();

    /// <summary>Every known model, newest first.</summary>
    public IReadOnlyList<CatalogModel> All { get; }

    /// <summary>
    /// What is known about <paramref name="id"/>; safe defaults for an id that is not in the catalogue.
    /// </summary>
    public CatalogModel Find(string id) => byId.GetValueOrDefault(id) ?? new CatalogModel
    {
        Id = id,
        DisplayName = id,
        MaxInputTokens = UnknownInputTokensMax,
        MaxTokens = UnknownOutputTokensMax,
        CreatedAt = DateTimeOffset.UnixEpoch,
    };

    public bool Knows(string id) => byId.ContainsKey(id);

    private static ModelCatalog Load()
    {
        using var file = typeof(ModelCatalog).Assembly.GetManifestResourceStream("Tenon.Server.Models.models.json")!;
        return new ModelCatalog(JsonSerializer.Deserialize(file, CatalogJson.Default.ListCatalogModel)!);
    }

    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
    [JsonSerializable(typeof(List<CatalogModel>))]
    private sealed partial class CatalogJson : JsonSerializerContext;
}

public sealed record CatalogModel
{
    public required string Id { get; init; }

    public required string DisplayName { get; init; }

    /// <summary><c>haiku sonnet opus fable</c>, or null for a model of no line.</summary>
    public string? Line { get; init; }

    /// <summary>The context window, in tokens.</summary>
    public required int MaxInputTokens { get; init; }

    /// <summary>The longest answer, in tokens.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>When the model was released; the epoch when that is not known.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Whether <c>thinking: {type: adaptive}</c> may be asked for.</summary>
    public bool AdaptiveThinking { get; init; }

    /// <summary>The efforts that the model takes: empty when it takes none, null when that is not known.</summary>
    public IReadOnlyList<string>? Efforts { get; init; }

    /// <summary>The effort of an agent that names none; null when that is not known.</summary>
    public string? DefaultEffort { get; init; }
}
