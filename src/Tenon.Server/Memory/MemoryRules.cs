using System.Globalization;
using System.Text;
using Tenon.Server.Http;
using Tenon.Wire.Http;
using Tenon.Wire.Memory;

namespace Tenon.Server.Memory;

/// <summary>What a store, a path and a text may be (api A.11, B.8). The same for clients and for agents.</summary>
public static class MemoryRules
{
    private const int NameMax = 255;
    private const int DescriptionMax = 1_024;
    private const int Sha256Chars = 64;

    /// <exception cref="ApiException">400 with the field.</exception>
    public static MemoryStoreRecord Check(MemoryStoreRecord store)
    {
        if (store.Name.Length is 0 or > NameMax)
        {
            throw ApiException.Invalid("name", $"must have 1 to {NameMax} characters.");
        }

        if (store.Name.Any(char.IsControl))
        {
            throw ApiException.Invalid("name", "must not have control characters.");
        }

        if (store.Description.Length > DescriptionMax)
        {
            throw ApiException.Invalid("description", $"must have at most {DescriptionMax} characters.");
        }

        Metadata.Check(store.Metadata);
        return store;
    }

    /// <exception cref="ApiException">400.</exception>
    public static void CheckPath(string path)
    {
        if (PathFault(path) is { } fault)
        {
            throw ApiException.Invalid("path", fault);
        }
    }

    /// <summary>What is wrong with a path, to follow its name; null when it is sound.</summary>
    public static string? PathFault(string path)
    {
        if (!path.StartsWith('/') || path.Length == 1)
        {
            return "must start with '/' and name something.";
        }

        if (Encoding.UTF8.GetByteCount(path) > MemoryLimits.PathBytesMax)
        {
            return $"is longer than {MemoryLimits.PathBytesMax} bytes.";
        }

        var segments = path[1..].Split('/');
        if (segments.Length > MemoryLimits.SegmentsMax)
        {
            return $"has more than {MemoryLimits.SegmentsMax} segments.";
        }

        if (segments.Any(segment => segment is "" or "." or ".."))
        {
            return "must not have segments that are empty, '.' or '..'.";
        }

        if (path.EnumerateRunes().Any(IsForbidden))
        {
            return "must not have control or format characters, or line or paragraph separators.";
        }

        return ComposedText.IsComposed(path) ? null : "must be in Unicode Normalization Form C.";
    }

    /// <summary>The bytes of a text.</summary>
    /// <exception cref="ApiException">400: there are too many.</exception>
    public static byte[] Content(string text)
    {
        var count = Encoding.UTF8.GetByteCount(text);
        return count <= MemoryLimits.ContentBytesMax ? Encoding.UTF8.GetBytes(text) : throw ApiException.Invalid(
            "content", $"has {count} bytes, and a memory has at most {MemoryLimits.ContentBytesMax}.");
    }

    /// <summary>The hash that a caller expects; null when it expects none.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static string? Expected(MemoryPrecondition? precondition) => precondition switch
    {
        null => null,
        { Type: not "content_sha256" } =>
            throw ApiException.Invalid("precondition.type", $"'{precondition.Type}' is not content_sha256."),
        _ => Sha256("precondition.content_sha256", precondition.ContentSha256
            ?? throw ApiException.Invalid("precondition.content_sha256", "field required")),
    };

    /// <exception cref="ApiException">400: it is no hash.</exception>
    public static string Sha256(string field, string text) =>
        text.Length == Sha256Chars && text.All(char.IsAsciiHexDigitLower) ? text
        : throw ApiException.Invalid(field, $"must be {Sha256Chars} lowercase hexadecimal characters.");

    /// <summary>What stands in the way of a change, as the caller is told it.</summary>
    public static ApiException Refused(MemoryRefusal refusal, string storeId, string? memoryId = null) => refusal switch
    {
        MemoryRefusal.NoStore => NoStore(storeId),
        MemoryRefusal.NoMemory => ApiException.NotFound("Memory", memoryId ?? ""),
        MemoryRefusal.Archived => ApiException.Invalid(
            "", $"Memory store '{storeId}' is archived: what is in it can be read and deleted, and not changed."),
        MemoryRefusal.Full => ApiException.Invalid("",
            $"Memory store '{storeId}' is full: it has {MemoryLimits.MemoriesMax} memories. Delete some, or use "
            + "another store."),
        MemoryRefusal.Changed => new ApiException(new Refusal(409, ErrorTypes.MemoryPreconditionFailed,
            $"Memory '{memoryId}' is not as expected: its content has another hash. Read it again, and retry.", null)),
        MemoryRefusal.Taken taken => new ApiException(new Refusal(409, ErrorTypes.MemoryPathConflict,
            $"The path is taken by, or overlaps, '{taken.Path}'. Rename or delete that memory, or update it.", null))
        {
            ConflictingMemoryId = taken.MemoryId,
            ConflictingPath = taken.Path,
        },
        _ => throw new NotSupportedException($"{refusal}"),
    };

    public static ApiException NoStore(string id) => ApiException.NotFound("Memory store", id);

    private static bool IsForbidden(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control
        or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
