using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Tenon.Wire;

/// <summary>
/// A field of an update: left out, or given (perhaps as null). Leaving a field out keeps what is stored;
/// null clears it where the field allows that (api 0.8).
/// </summary>
public readonly record struct Patch<T>(T? Value)
{
    /// <summary>Whether the field stood in the body at all.</summary>
    public bool IsGiven { get; } = true;

    /// <summary>The given value, or <paramref name="stored"/> when the field was left out.</summary>
    public T? Or(T? stored) => IsGiven ? Value : stored;
}

/// <summary>Reads a <see cref="Patch{T}"/>; named on each property, so that the contract stays closed.</summary>
public sealed class PatchConverter<T> : JsonConverter<Patch<T>>
{
    public override bool HandleNull => true;

    public override Patch<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return new Patch<T>(default);
        }

        try
        {
            return new Patch<T>(
                JsonSerializer.Deserialize(ref reader, (JsonTypeInfo<T>)WireJson.Default.GetTypeInfo(typeof(T))!));
        }
        catch (JsonException exception)
        {
            throw WireError.Outwards(exception);
        }
    }

    public override void Write(Utf8JsonWriter writer, Patch<T> value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.Value, (JsonTypeInfo<T?>)WireJson.Default.GetTypeInfo(typeof(T))!);
}

/// <summary>
/// Reads a value that may be written as a bare string instead of an object, as a model is by its id.
/// <typeparamref name="TBody"/> is the object form.
/// </summary>
public abstract class ShorthandConverter<T, TBody> : JsonConverter<T>
{
    protected abstract T FromString(string text);

    protected abstract T FromBody(TBody body);

    protected abstract TBody ToBody(T value);

    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return FromString(reader.GetString()!);
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("expected a string or an object");
        }

        try
        {
            var contract = (JsonTypeInfo<TBody>)WireJson.Default.GetTypeInfo(typeof(TBody))!;
            return FromBody(JsonSerializer.Deserialize(ref reader, contract)!);
        }
        catch (JsonException exception)
        {
            throw WireError.Outwards(exception);
        }
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(
            writer, ToBody(value), (JsonTypeInfo<TBody>)WireJson.Default.GetTypeInfo(typeof(TBody))!);
}
