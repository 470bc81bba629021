using System.Text.Json.Serialization;
using Tenon.Wire.Content;

namespace Tenon.Wire;

/// <summary>The one JSON contract of the wire: snake case, UTC timestamps, unknown fields kept, nulls written.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    AllowOutOfOrderMetadataProperties = true,
    Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(ContentBlock))]
[JsonSerializable(typeof(TextBlock))]
[JsonSerializable(typeof(ImageBlock))]
[JsonSerializable(typeof(DocumentBlock))]
[JsonSerializable(typeof(SearchResultBlock))]
[JsonSerializable(typeof(RedactedBlock))]
[JsonSerializable(typeof(IReadOnlyList<ContentBlock>))]
public sealed partial class WireJson : JsonSerializerContext;
