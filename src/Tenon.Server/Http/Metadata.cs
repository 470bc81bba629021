namespace Tenon.Server.Http;

/// <summary>
/// The rules of <c>metadata</c> (api 0.8): at most 16 pairs, keys of 1 to 64 characters, values of at most 512.
/// </summary>
public static class Metadata
{
    private const int PairsMax = 16;
    private const int KeyMax = 64;
    private const int ValueMax = 512;

    public static IReadOnlyDictionary<string, string> Check(IReadOnlyDictionary<string, string>? metadata)
    {
        var checkedMetadata = metadata ?? new Dictionary<string, string>();
        if (checkedMetadata.Count > PairsMax)
        {
            throw ApiException.Invalid("metadata", $"at most {PairsMax} pairs are allowed.", "invalid_metadata");
        }

        foreach (var (key, value) in checkedMetadata)
        {
            if (key.Length is 0 or > KeyMax)
            {
                throw ApiException.Invalid(
                    "metadata", $"the key '{key}' must have 1 to {KeyMax} characters.", "invalid_metadata");
            }

            if (value is null || value.Length > ValueMax)
            {
                throw ApiException.Invalid(
                    $"metadata.{key}", $"must be a string of at most {ValueMax} characters.", "invalid_metadata");
            }
        }

        return checkedMetadata;
    }

    /// <summary>The stored pairs with a patch applied: a string sets, null deletes.</summary>
    /// <param name="emptyDeletes">Whether the empty string deletes too, as it does for environments.</param>
    public static IReadOnlyDictionary<string, string> Merge(
        IReadOnlyDictionary<string, string> stored, IReadOnlyDictionary<string, string?>? patch,
        bool emptyDeletes = false)
    {
        var merged = new Dictionary<string, string>(stored);
        foreach (var (key, value) in patch ?? new Dictionary<string, string?>())
        {
            if (value is null || (emptyDeletes && value.Length == 0))
            {
                merged.Remove(key);
            }
            else
            {
                merged[key] = value;
            }
        }

        return Check(merged);
    }
}
