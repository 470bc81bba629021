using System.Globalization;
using Tenon.Server.Http;
using Tenon.Wire.Files;
using Tenon.Wire.Http;

namespace Tenon.Server.Files;

/// <summary>What a file may be called, and for how long its bytes are there (api A.12, B.11).</summary>
public static class FileRules
{
    public const int IdsMax = 100;

    private const int FilenameCharsMax = 255;
    private const int ExpirySecondsMin = 3_600;
    private const int ExpirySecondsMax = 7_776_000;
    private const string Unnamed = "unnamed";

    private static readonly System.Buffers.SearchValues<char> Forbidden =
        System.Buffers.SearchValues.Create("<>:\"|?*\\/");

    /// <summary>
    /// The last component of what the client sent; of nothing <c>unnamed</c> with the extension of its type.
    /// </summary>
    /// <exception cref="ApiException">400: the name is too long, or has characters that names cannot have.</exception>
    public static string Filename(string? sent, string mimeType)
    {
        var name = LastComponent(sent);
        if (name.Length == 0)
        {
            return Unnamed + MediaTypes.ExtensionOf(mimeType);
        }

        if (name.Length > FilenameCharsMax)
        {
            throw ApiException.Invalid("file", $"the file name is longer than {FilenameCharsMax} characters.");
        }

        return IsSound(name) ? name : throw ApiException.Invalid("file",
            "the file name has a control character or one of < > : \" | ? * and cannot be kept; rename the file.");
    }

    /// <summary>A name as near as may be to one that nobody checked: of a file that an agent wrote.</summary>
    public static string Cleaned(string path)
    {
        var name = string.Concat(LastComponent(path).Take(FilenameCharsMax)
            .Select(c => char.IsControl(c) || Forbidden.Contains(c) ? '_' : c));
        return name is "" or "." or ".." ? Unnamed : name;
    }

    public static string LastComponent(string? path) => path?.Split('/', '\\')[^1] ?? "";

    /// <exception cref="ApiException">400: not a number of seconds that a file may live.</exception>
    public static TimeSpan Expiry(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && seconds is >= ExpirySecondsMin and <= ExpirySecondsMax
                ? TimeSpan.FromSeconds(seconds)
                : throw ApiException.Invalid("expires_in_seconds",
                    $"must be a whole number from {ExpirySecondsMin} to {ExpirySecondsMax}.");

    public static bool IsExpired(FileRecord file, DateTimeOffset now) => file.ExpiresAt <= now;

    public static ApiException Expired(string id) => new(new Refusal(
        404, ErrorTypes.NotFound, $"File '{id}' has expired, and its content is gone.", "file_expired"));

    private static bool IsSound(string name) =>
        name is not ("." or "..") && !name.Any(char.IsControl) && !name.AsSpan().ContainsAny(Forbidden);
}
