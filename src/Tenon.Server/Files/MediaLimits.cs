using System.Text;
using Tenon.Wire.Content;

namespace Tenon.Server.Files;

/// <summary>How a model can be shown a file.</summary>
public enum MediaKind
{
    Other,
    Image,
    Pdf,
    Text,
}

/// <summary>Which files a model can be shown, and how much of them.</summary>
public static class MediaLimits
{
    /// <summary>
    /// All files of one request. Providers take requests of 32 MB, in which bytes grow by a third and other words have
    /// their place.
    /// </summary>
    public const long RequestBytesMax = 20L * 1024 * 1024;

    /// <summary>Pictures that providers take in one request.</summary>
    public const int RequestImagesMax = 100;

    /// <summary>Of more pictures than these in one request, providers take none that is large.</summary>
    public const int LargeImagesMax = 20;

    /// <summary>Pixels of the longer side of a picture that is not large.</summary>
    public const int ManySideMax = 2_000;

    /// <summary>About a million tokens: more fits into no model's window.</summary>
    private const long TextBytesMax = 4L * 1024 * 1024;

    /// <summary>How a file of each type begins, as Latin-1; a dot stands for any byte.</summary>
    private static readonly (string Type, string Beginning)[] Beginnings =
    [
        ("image/png", "\u0089PNG"), ("image/jpeg", "\u00FF\u00D8\u00FF"), ("image/gif", "GIF8"),
        ("image/webp", "RIFF....WEBP"), (MediaTypes.Pdf, "%PDF-"),
    ];

    public static MediaKind KindOf(string mimeType) => MediaTypes.IsImage(mimeType) ? MediaKind.Image
        : mimeType == MediaTypes.Pdf ? MediaKind.Pdf
        : MediaTypes.IsText(mimeType) ? MediaKind.Text
        : MediaKind.Other;

    public static long BytesMax(MediaKind kind) => kind switch
    {
        MediaKind.Image => Picture.BytesMax,
        MediaKind.Text => TextBytesMax,
        _ => RequestBytesMax,
    };

    /// <summary>
    /// Whether the bytes begin as its type does. A provider refuses a whole conversation with one wrong image in it.
    /// </summary>
    public static async Task<bool> IsWhatItSays(
        StoredFile file, IBlobStore blobs, CancellationToken cancellationToken)
    {
        var beginning = Beginnings.FirstOrDefault(known => known.Type == file.Record.MimeType).Beginning;
        await using var content = beginning is null ? null : await blobs.Open(file.Blob, cancellationToken);
        if (content is null)
        {
            return true;
        }

        var head = new byte[beginning!.Length];
        var count = await content.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken);
        return count == head.Length && beginning.Zip(Encoding.Latin1.GetString(head))
            .All(pair => pair.First is '.' || pair.First == pair.Second);
    }
}
