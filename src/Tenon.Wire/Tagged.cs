using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Tenon.Wire;

/// <summary>
/// Reads and writes a union whose members are told apart by their <c>type</c> field. A member that this version
/// does not know is kept as it came, so that a newer client or an older server loses nothing.
/// </summary>
/// <remarks>
/// The serializer starts a new path for every nested call, so this converter carries the inner path outwards in
/// <see cref="WireError.InnerPathKey"/>; <see cref="WireError.Describe"/> joins the two.
/// </remarks>
public abstract class TaggedConverter<TUnion> : JsonConverter<TUnion> where TUnion : class
{
    /// <summary>The contract of the member named by <paramref name="type"/>, or null when it is unknown.</summary>
    protected abstract JsonTypeInfo? Member(string type);

    /// <summary>The contract of the member that <paramref name="value"/> is, or null for an unknown one.</summary>
    protected abstract JsonTypeInfo? MemberOf(TUnion value);

    protected abstract TUnion Unknown(string type, JsonElement body);

    protected abstract JsonElement Body(TUnion unknown);

    // The serializer does not look at whether the elements of a list may be null; no list here has such elements.
    public override bool HandleNull => true;

    public override TUnion Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var peek = reader;
        var type = ReadType(ref peek);
        var member = Member(type);
        if (member is null)
        {
            return Unknown(type, JsonElement.ParseValue(ref reader));
        }

        try
        {
            return (TUnion)JsonSerializer.Deserialize(ref reader, member)!;
        }
        catch (JsonException exception)
        {
            throw WireError.Outwards(exception);
        }
    }

    public override void Write(Utf8JsonWriter writer, TUnion value, JsonSerializerOptions options)
    {
        if (MemberOf(value) is { } member)
        {
            JsonSerializer.Serialize(writer, value, member);
        }
        else
        {
            Body(value).WriteTo(writer);
        }
    }

    private static string ReadType(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException(
                reader.TokenType == JsonTokenType.Null ? "null is not allowed" : "expected an object");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            reader.Read();
            if (isType)
            {
                return reader.TokenType == JsonTokenType.String
                    ? reader.GetString()!
                    : throw WireError.At(".type", "expected a string");
            }

            reader.Skip();
        }

        throw WireError.At(".type", "field required");
    }
}
