using Microsoft.AspNetCore.Http.Features;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tenon.Wire.Http;

namespace Tenon.Server.Http;

/// <summary>Reads JSON bodies and writes JSON answers by the wire's own contract.</summary>
public static class Body
{
    /// <summary>The documented limit of a session's creation (api A.4), used for every body.</summary>
    public const long BytesMax = 32 * 1024 * 1024;

    /// <summary>
    /// Refuses a body that is too large. The host's own limit closes the connection on a client that is still sending,
    /// which then sees a broken pipe instead of the answer; here the rest is read and dropped first.
    /// </summary>
    public static IApplicationBuilder UseBodyLimit(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        if (context.Request.ContentLength > BytesMax)
        {
            throw new ApiException(
                new Refusal(413, ErrorTypes.TooLarge, $"The body is larger than {BytesMax} bytes.", null));
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = BytesMax;
        }

        return next(context);
    });

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
