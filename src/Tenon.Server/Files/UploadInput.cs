using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using System.Buffers;
using System.Text;
using Tenon.Server.Http;

namespace Tenon.Server.Files;

/// <summary>Reads the multipart form of an upload as it comes, whatever its size, into a new blob.</summary>
public sealed class UploadInput
{
    /// <summary>What the form may add to the file: its other fields and the headers of all of them.</summary>
    public const long FormBytesMax = 1024 * 1024;

    private const int PartsMax = 16;
    private const int FieldBytesMax = 4 * 1024;
    private const int BoundaryCharsMax = 256;
    private const int BufferBytes = 128 * 1024;

    private bool _hasFile;

    /// <summary>As the client sent it: perhaps a path, perhaps null.</summary>
    public string? Filename { get; private set; }

    public string? ContentType { get; private set; }

    public long SizeBytes { get; private set; }

    /// <summary>Null for a file that stays.</summary>
    public TimeSpan? Expiry { get; private set; }

    /// <summary>Reads the whole form; the file's bytes, as many as it may have, go to <paramref name="target"/>.
    /// </summary>
    /// <exception cref="ApiException">400 or 413, with the field.</exception>
    public static async Task<UploadInput> Read(
        string? contentType, Stream body, Stream target, long bytesMax, CancellationToken cancellationToken)
    {
        var input = new UploadInput();
        var reader = new MultipartReader(BoundaryOf(contentType), body, BufferBytes);
        for (var parts = 0; await Sent(() => reader.ReadNextSectionAsync(cancellationToken)) is { } part; parts++)
        {
            if (parts == PartsMax)
            {
                throw ApiException.Invalid("", $"The form has more than {PartsMax} parts.");
            }

            await input.ReadPart(part, target, bytesMax, cancellationToken);
        }

        return input._hasFile ? input : throw ApiException.Invalid("file", "field required");
    }

    private async Task ReadPart(
        MultipartSection part, Stream target, long bytesMax, CancellationToken cancellationToken)
    {
        if (!ContentDispositionHeaderValue.TryParse(part.ContentDisposition, out var disposition))
        {
            throw ApiException.Invalid("", "A part of the form has no Content-Disposition with a name.");
        }

        switch (HeaderUtilities.RemoveQuotes(disposition.Name).Value)
        {
            case "file" when _hasFile:
                throw ApiException.Invalid("file", "only one file can be uploaded at a time.");
            case "file":
                _hasFile = true;
                Filename = NameOf(disposition);
                ContentType = part.ContentType;
                SizeBytes = await Copy(part.Body, target, bytesMax, cancellationToken)
                    ?? throw new ApiException(Body.TooLarge(bytesMax));
                break;
            case "expires_in_seconds":
                Expiry = FileRules.Expiry(await Text("expires_in_seconds", part.Body, cancellationToken));
                break;
            case var other:
                await Text(other ?? "", part.Body, cancellationToken);
                break;
        }
    }

    private static async Task<string> Text(string name, Stream body, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        return await Copy(body, text, FieldBytesMax, cancellationToken) is null
            ? throw ApiException.Invalid(name, $"is longer than {FieldBytesMax} bytes.")
            : Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <summary>The bytes copied; null when there are more than <paramref name="bytesMax"/>.</summary>
    private static async Task<long?> Copy(
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
