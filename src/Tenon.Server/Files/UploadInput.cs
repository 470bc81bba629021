using Tenon.Server.Http;

namespace Tenon.Server.Files;

/// <summary>Reads the multipart form of an upload as it comes, whatever its size, into a new blob.</summary>
public sealed class UploadInput
{
    private const int PartsMax = 16;

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
        await FormInput.Read(
            contentType, body, PartsMax, part => input.ReadPart(part, target, bytesMax, cancellationToken),
            cancellationToken);
        return input._hasFile ? input : throw ApiException.Invalid("file", "field required");
    }

    private async Task ReadPart(FormPart part, Stream target, long bytesMax, CancellationToken cancellationToken)
    {
        switch (part.Name)
        {
            case "file" when _hasFile:
                throw ApiException.Invalid("file", "only one file can be uploaded at a time.");
            case "file":
                _hasFile = true;
                Filename = part.FileName;
                ContentType = part.ContentType;
                SizeBytes = await FormInput.Copy(part.Body, target, bytesMax, cancellationToken)
                    ?? throw new ApiException(Body.TooLarge(bytesMax));
                break;
            case "expires_in_seconds":
                Expiry = FileRules.Expiry(await FormInput.Text(part, cancellationToken));
                break;
            default:
                await FormInput.Text(part, cancellationToken);
                break;
        }
    }
}
