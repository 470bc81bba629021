using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Tenon.Wire.Content;

/// <summary>One piece of a message or of a tool's result (api B.12).</summary>
[JsonConverter(typeof(ContentBlockConverter))]
public abstract record ContentBlock
{
    [JsonPropertyOrder(-2)]
    public abstract string Type { get; }

    /// <summary>Fields this version does not know, kept as they came.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Extra { get; set; }

    /// <summary>A text block, the form nearly every result takes.</summary>
    public static ContentBlock Of(string text) => new TextBlock { Text = text };
}

public sealed record TextBlock : ContentBlock
{
    [JsonPropertyOrder(-3)]
    public override string Type => "text";

    public required string Text { get; init; }
}

public sealed record ImageBlock : ContentBlock
{
    [JsonPropertyOrder(-3)]
    public override string Type => "image";

    public required MediaSource Source { get; init; }
}

public sealed record DocumentBlock : ContentBlock
{
    [JsonPropertyOrder(-3)]
    public override string Type => "document";

    public required MediaSource Source { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Title { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Context { get; init; }
}

/// <summary>A passage found by a search; only in tool results.</summary>
public sealed record SearchResultBlock : ContentBlock
{
    [JsonPropertyOrder(-3)]
    public override string Type => "search_result";

    public required string Title { get; init; }

    /// <summary>The address the passage was found at.</summary>
    public required string Source { get; init; }

    public required IReadOnlyList<ContentBlock> Content { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Citations { get; init; }
}

/// <summary>Content withheld by the server; refused in user input.</summary>
public sealed record RedactedBlock : ContentBlock
{
    [JsonPropertyOrder(-3)]
    public override string Type => "redacted";
}

/// <summary>A block of a type this version does not know.</summary>
public sealed record UnknownBlock(string UnknownType, JsonElement Body) : ContentBlock
{
    [JsonPropertyOrder(-3)]
    public override string Type => UnknownType;
}

/// <summary>Where an image or a document comes from.</summary>
public sealed record MediaSource
{
    /// <summary><c>base64</c>, <c>url</c>, <c>file</c> or (documents) <c>text</c>.</summary>
    public required string Type { get; init; }

    /// <summary>MIME type; required with <c>base64</c> and <c>text</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? MediaType { get; init; }

    /// <summary>Base64 bytes or plain text; required with <c>base64</c> and <c>text</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Data { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Url { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? FileId { get; init; }
}

public sealed class ContentBlockConverter : TaggedConverter<ContentBlock>
{
    protected override JsonTypeInfo? Member(string type) => type switch
    {
        "text" => WireJson.Default.TextBlock,
        "image" => WireJson.Default.ImageBlock,
        "document" => WireJson.Default.DocumentBlock,
        "search_result" => WireJson.Default.SearchResultBlock,
        "redacted" => WireJson.Default.RedactedBlock,
        _ => null,
    };

    protected override JsonTypeInfo? MemberOf(ContentBlock value) =>
        value is UnknownBlock ? null : Member(value.Type);

    protected override ContentBlock Unknown(string type, JsonElement body) => new UnknownBlock(type, body);

    protected override JsonElement Body(ContentBlock unknown) => ((UnknownBlock)unknown).Body;
}
