using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>What the harness asks of a model: a pure function of the log, so that its prefix is byte-stable.</summary>
public sealed record ModelRequest
{
    public required string Model { get; init; }

    /// <summary><c>low medium high xhigh max</c>, or null for the model's default.</summary>
    public string? Effort { get; init; }

    /// <summary><c>standard</c> or <c>fast</c>.</summary>
    public string Speed { get; init; } = "standard";

    public required string System { get; init; }

    public IReadOnlyList<ModelTool> Tools { get; init; } = [];

    /// <summary>Turns in order; user and assistant alternate, the first and the last are the user's.</summary>
    public required IReadOnlyList<ModelMessage> Messages { get; init; }

    /// <summary>The longest answer, in tokens.</summary>
    public int MaxOutputTokens { get; init; } = 32_000;
}

/// <summary>A tool offered to the model. <paramref name="InputSchema"/> is a JSON Schema object.</summary>
public sealed record ModelTool(string Name, string Description, JsonElement InputSchema);

public enum ModelRole
{
    User,
    Assistant,
}

public sealed record ModelMessage(ModelRole Role, IReadOnlyList<ModelContent> Content);

/// <summary>
/// One block of a model's turn. It is stored in the log as an internal entry, so its JSON never changes meaning.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ModelText), "text")]
[JsonDerivedType(typeof(ModelThinking), "thinking")]
[JsonDerivedType(typeof(ModelRedactedThinking), "redacted_thinking")]
[JsonDerivedType(typeof(ModelToolUse), "tool_use")]
[JsonDerivedType(typeof(ModelToolResult), "tool_result")]
[JsonDerivedType(typeof(ModelMedia), "media")]
public abstract record ModelContent;

public sealed record ModelText(string Text) : ModelContent;

/// <summary>Thinking with the provider's signature, both sent back unchanged with the next request.</summary>
public sealed record ModelThinking(string Thinking, string Signature) : ModelContent;

public sealed record ModelRedactedThinking(string Data) : ModelContent;

/// <summary>A call the model made. <paramref name="Id"/> is the provider's own id for it.</summary>
public sealed record ModelToolUse(string Id, string Name, JsonElement Input) : ModelContent;

/// <summary>The answer to the call with the provider's id <paramref name="ToolUseId"/>.</summary>
public sealed record ModelToolResult(string ToolUseId, IReadOnlyList<ContentBlock> Content, bool IsError)
    : ModelContent;

/// <summary>An image or a document of the user's message.</summary>
public sealed record ModelMedia(ContentBlock Block) : ModelContent;
