using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Tenon.Server.Http;

/// <summary>Reads JSON bodies and writes JSON answers by the wire's own contract.</summary>
public static class Body
{
    /// <summary>The documented limit of a session's creation (api A.4), used for every body.</summary>
    public const long BytesMax = 32 * 1024 * 1024;

    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <exception cref="ApiException">400 with the path of the bad field.</exception>
    public static async Task<T> Read<T>(this HttpRequest request, JsonTypeInfo<T> contract) where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(request.Body, contract, request.HttpContext.RequestAborted)
                ?? throw ApiException.Invalid("", "The body must be a JSON object, not null.");
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid(exception);
        }
    }

    /// <summary>
    /// The body's text, once it is known to be a <typeparamref name="T"/>: what is passed on to a session's owner.
    /// </summary>
    public static async Task<string> ReadJson<T>(this HttpRequest request, JsonTypeInfo<T> contract) where T : class
    {
        using var reader = new StreamReader(request.Body);
        var text = await reader.ReadToEndAsync(request.HttpContext.RequestAborted);
        try
        {
            _ = JsonSerializer.Deserialize(text, contract)
                ?? throw ApiException.Invalid("", "The body must be a JSON object, not null.");
            return text;
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid(exception);
        }
    }

    public static IResult Json<T>(T value, JsonTypeInfo<T> contract) => TypedResults.Json(value, contract);
}
