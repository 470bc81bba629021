using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using System.Buffers;
using System.Text;
using Tenon.Server.Http;

namespace Tenon.Server.Files;

/// <summary>A multipart form, part by part as it comes, so that its size does not show in memory.</summary>
public static class FormInput
{
    /// <summary>What the form may add to its files: its other fields and the headers of all of them.</summary>
    public const long BytesMax = 1024 * 1024;

    private const int FieldBytesMax = 4 * 1024;
    private const int BoundaryCharsMax = 256;
    private const int BufferBytes = 128 * 1024;

    /// <summary>Reads the whole form. A part that <paramref name="read"/> leaves unread is passed over.</summary>
    /// <exception cref="ApiException">400: it is no form, or has more than <paramref name="partsMax"/> parts.
    /// </exception>
    public static async Task Read(
        string? contentType, Stream body, int partsMax, Func<FormPart, Task> read, CancellationToken cancellationToken)
    {
        var reader = new MultipartReader(BoundaryOf(contentType), body, BufferBytes);
        for (var parts = 0; await Sent(() => reader.ReadNextSectionAsync(cancellationToken)) is { } part; parts++)
        {
            if (parts == partsMax)
            {
                throw ApiException.Invalid("", $"The form has more than {partsMax} parts.");
            }

            if (!ContentDispositionHeaderValue.TryParse(part.ContentDisposition, out var disposition))
            {
                throw ApiException.Invalid("", "A part of the form has no Content-Disposition with a name.");
            }

            await read(new FormPart(
                HeaderUtilities.RemoveQuotes(disposition.Name).Value ?? "", NameOf(disposition), part.ContentType,
                part.Body));
        }
    }

    /// <summary>The text of a part that is no file.</summary>
    /// <exception cref="ApiException">400: it is longer than a field may be.</exception>
    public static async Task<string> Text(FormPart part, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        return await Copy(part.Body, text, FieldBytesMax, cancellationToken) is null
            ? throw ApiException.Invalid(part.Name, $"is longer than {FieldBytesMax} bytes.")
            : Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <summary>The bytes copied; null when there are more than <paramref name="bytesMax"/>.</summary>
    public static async Task<long?> Copy(
        Stream from, Stream to, long bytesMax, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var total = 0L;
            int count;
            while ((count = await Sent(() => from.ReadAsync(buffer, cancellationToken).AsTask())) > 0)
            {
                total += count;
                if (total > bytesMax)
                {
                    return null;
                }

                await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }

            return total;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads from the client, whose faults come as exceptions that a disk's faults come as too.</summary>
    private static async Task<T> Sent<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception exception)
            when (exception is InvalidDataException or IOException and not BadHttpRequestException)
        {
            // A cut upload has nobody left to read this; a form that is none has.
            throw ApiException.Invalid("", "The body is not a whole multipart form.");
        }
    }

    // Browsers and their heirs write a quote mark and a line break in a name as %22, %0D and %0A.
    private static string? NameOf(ContentDispositionHeaderValue disposition)
    {
        // NOTE: the parser throws when it is asked for an extended name that has no value.
        var isExtended = disposition.Parameters.Any(parameter => parameter.Value.HasValue
            && parameter.Name.Equals("filename*", StringComparison.OrdinalIgnoreCase));
        var name = isExtended && disposition.FileNameStar is { HasValue: true } extended
            ? extended.Value
            : HeaderUtilities.RemoveQuotes(disposition.FileName).Value;
        return name?.Replace("%22", "\"", StringComparison.Ordinal)
            .Replace("%0A", "\n", StringComparison.OrdinalIgnoreCase)
            .Replace("%0D", "\r", StringComparison.OrdinalIgnoreCase);
    }

    private static string BoundaryOf(string? contentType)
    {
        var boundary = MediaTypeHeaderValue.TryParse(contentType, out var type)
            && type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
                ? HeaderUtilities.RemoveQuotes(type.Boundary).Value
                : null;
        return boundary is { Length: > 0 and <= BoundaryCharsMax }
            ? boundary
            : throw ApiException.Invalid("", "The body must be multipart/form-data with a boundary.");
    }
}

/// <summary>One part of a form.</summary>
/// <param name="FileName">As the client sent it: perhaps a path, perhaps null.</param>
public sealed record FormPart(string Name, string? FileName, string? ContentType, Stream Body);
