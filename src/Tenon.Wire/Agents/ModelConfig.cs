using System.Text.Json.Serialization;

namespace Tenon.Wire.Agents;

/// <summary>
/// Which model an agent uses, and how. Sent as an id or as an object; answered as an object (api B.1).
/// </summary>
[JsonConverter(typeof(ModelConfigConverter))]
public sealed record ModelConfig
{
    public required string Id { get; init; }

    /// <summary><c>low medium high xhigh max</c>; null leaves it to the model.</summary>
    public string? Effort { get; init; }

    /// <summary>Kept and echoed; Tenon does not place inference.</summary>
    public string? InferenceGeo { get; init; }

    /// <summary><c>standard</c> (default) or <c>fast</c>.</summary>
    public string Speed { get; init; } = "standard";
}

/// <summary>The object form of <see cref="ModelConfig"/> on the wire.</summary>
public sealed record ModelConfigBody
{
    public required string Id { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Effort? Effort { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? InferenceGeo { get; init; }

    public string? Speed { get; init; }
}

/// <summary>An effort level, sent as a word or as <c>{"type": word}</c>, answered as the latter.</summary>
[JsonConverter(typeof(EffortConverter))]
public sealed record Effort(string Type);

/// <summary>An object that has nothing but its type.</summary>
public sealed record TypeOnly
{
    public required string Type { get; init; }
}

public sealed class EffortConverter : ShorthandConverter<Effort, TypeOnly>
{
    protected override Effort FromString(string text) => new(text);

    protected override Effort FromBody(TypeOnly body) => new(body.Type);

    protected override TypeOnly ToBody(Effort value) => new() { Type = value.Type };
}

public sealed class ModelConfigConverter : ShorthandConverter<ModelConfig, ModelConfigBody>
{
    protected override ModelConfig FromString(string text) => new() { Id = text };

    protected override ModelConfig FromBody(ModelConfigBody body) => new()
    {
        Id = body.Id,
        Effort = body.Effort?.Type,
        InferenceGeo = body.InferenceGeo,
        Speed = body.Speed ?? "standard",
    };

    protected override ModelConfigBody ToBody(ModelConfig value) => new()
    {
        Id = value.Id,
        Effort = value.Effort is null ? null : new Effort(value.Effort),
        InferenceGeo = value.InferenceGeo,
        Speed = value.Speed,
    };
}
