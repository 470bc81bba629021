using Microsoft.AspNetCore.Http.Features;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Tenon.Wire.Http;

namespace Tenon.Server.Http;

/// <summary>Reads JSON bodies and writes JSON answers by the wire's own contract.</summary>
public static class Body
{
    /// <summary>The documented limit of a session's creation (api A.4), used for every body.</summary>
    public const long BytesMax = 32 * 1024 * 1024;

    /// <summary>
    /// The serializer reads and writes 64 levels. What a body holds is answered and stored up to five levels deeper
    /// than it came: an agent's tools stand inside the agent, inside a session, inside a page.
    /// </summary>
    private const int DepthMax = 56;

    /// <summary>
    /// Refuses a body that is too large. The host's own limit closes the connection on a client that is still sending,
    /// which then sees a broken pipe instead of the answer; here the rest is read and dropped first.
    /// </summary>
    public static IApplicationBuilder UseBodyLimit(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        var bytesMax = LimitOf(context);
        if (context.Request.ContentLength > bytesMax)
        {
            throw new ApiException(TooLarge(bytesMax));
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = bytesMax;
        }

        return next(context);
    });

    /// <summary>What the route takes: <see cref="BytesMax"/> unless its <see cref="BodyLimit"/> says more.</summary>
    public static long LimitOf(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<BodyLimit>()?.BytesMax ?? BytesMax;

    public static Refusal TooLarge(long bytesMax) =>
        new(413, ErrorTypes.TooLarge, $"The body is larger than {bytesMax} bytes.", null);

    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <exception cref="ApiException">400 with the path of the bad field.</exception>
    public static async Task<T> Read<T>(this HttpRequest request, JsonTypeInfo<T> contract) where T : class =>
        Parse(await ReadBytes(request), contract);

    /// <summary>
    /// The body's text, once it is known to be a <typeparamref name="T"/>: what is passed on to a session's owner.
    /// </summary>
    public static async Task<string> ReadJson<T>(this HttpRequest request, JsonTypeInfo<T> contract) where T : class
    {
        var bytes = await ReadBytes(request);
        Parse(bytes, contract);
        return Encoding.UTF8.GetString(bytes.Span);
    }

    public static IResult Json<T>(T value, JsonTypeInfo<T> contract) => TypedResults.Json(value, contract);

    private static async Task<ReadOnlyMemory<byte>> ReadBytes(HttpRequest request)
    {
        using var buffer = new MemoryStream((int)Math.Min(request.ContentLength ?? 0, BytesMax));
        await request.Body.CopyToAsync(buffer, request.HttpContext.RequestAborted);
        var bytes = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        return bytes.Span.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
    }

    private static T Parse<T>(ReadOnlyMemory<byte> body, JsonTypeInfo<T> contract) where T : class
    {
        try
        {
            if (!Utf8.IsValid(body.Span))
            {
                throw ApiException.Invalid("", "The body is not valid UTF-8.");
            }

            var unwritable = CheckCanBeWritten(body.Span);
            var value = JsonSerializer.Deserialize(body.Span, contract)
                ?? throw ApiException.Invalid("", "The body must be a JSON object, not null.");
            return unwritable is null ? value : throw unwritable;
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid(exception);
        }
    }

    /// <summary>
    /// Refuses what JSON allows and what could not be answered or stored: fields of any form are kept as they came,
    /// so nothing else has looked inside them.
    /// </summary>
    /// <returns>What is wrong with the JSON itself: the serializer is asked first, since it knows the field.</returns>
    private static JsonException? CheckCanBeWritten(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DepthMax });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && !IsText(reader))
                {
                    throw ApiException.Invalid(
                        "", $"The string at byte {reader.TokenStartIndex} has one half of a surrogate pair.");
                }
            }

            return null;
        }
        catch (JsonException exception)
        {
            return exception;
        }
    }

    private static bool IsText(in Utf8JsonReader reader)
    {
        // Only an escape can name half of a pair: the bytes themselves are valid.
        if (!reader.ValueIsEscaped || !reader.ValueSpan.Contains((byte)'u'))
        {
            return true;
        }

        try
        {
            _ = reader.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            // There is no way to ask first; this is how the reader says that the escapes are no text.
            return false;
        }
    }
}

/// <summary>On a route whose bodies may be larger than <see cref="Body.BytesMax"/>.</summary>
public sealed record BodyLimit(long BytesMax);
