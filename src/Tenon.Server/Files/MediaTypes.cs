using System.Net.Http.Headers;

namespace Tenon.Server.Files;

/// <summary>Which kind of file a name or a header speaks of.</summary>
public static class MediaTypes
{
    public const string Unknown = "application/octet-stream";
    public const string Pdf = "application/pdf";

    /// <summary>Far above any registered type; a longer one is not a type.</summary>
    private const int CharsMax = 127;

    /// <summary>Extensions by type; the first one of a type names a file that has no name.</summary>
    private static readonly (string Extension, string Type)[] Known =
    [
        (".txt", "text/plain"), (".log", "text/plain"), (".csv", "text/csv"), (".tsv", "text/tab-separated-values"),
        (".md", "text/markdown"), (".html", "text/html"), (".htm", "text/html"), (".css", "text/css"),
        (".js", "text/javascript"), (".mjs", "text/javascript"), (".ts", "text/x-typescript"),
        (".py", "text/x-python"), (".cs", "text/x-csharp"), (".go", "text/x-go"), (".rs", "text/x-rust"),
        (".java", "text/x-java"), (".c", "text/x-c"), (".sh", "application/x-sh"), (".sql", "application/sql"),
        (".json", "application/json"), (".jsonl", "application/jsonl"), (".xml", "application/xml"),
        (".yaml", "application/yaml"), (".yml", "application/yaml"), (".toml", "application/toml"),
        (".pdf", Pdf), (".png", "image/png"), (".jpg", "image/jpeg"), (".jpeg", "image/jpeg"),
        (".gif", "image/gif"), (".webp", "image/webp"), (".svg", "image/svg+xml"),
        (".zip", "application/zip"), (".gz", "application/gzip"), (".tar", "application/x-tar"),
        (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        (".parquet", "application/vnd.apache.parquet"), (".wav", "audio/wav"), (".mp3", "audio/mpeg"),
        (".mp4", "video/mp4"),
    ];

    /// <summary>Types that are text, though they are not called so.</summary>
    private static readonly HashSet<string> Textual =
    [
        "application/json", "application/jsonl", "application/xml", "application/yaml", "application/toml",
        "application/sql", "application/x-sh", "application/javascript", "image/svg+xml",
    ];

    /// <summary>
    /// What the client said, without parameters; where it said nothing of use, what the name's extension says.
    /// </summary>
    public static string Of(string? said, string filename)
    {
        var type = MediaTypeHeaderValue.TryParse(said, out var parsed) && parsed.MediaType is { Length: <= CharsMax }
            ? parsed.MediaType.ToLowerInvariant()
            : Unknown;
        return type == Unknown ? OfName(filename) : type;
    }

    public static string OfName(string filename)
    {
        var extension = Path.GetExtension(filename).ToLowerInvariant();
        return Known.FirstOrDefault(known => known.Extension == extension).Type ?? Unknown;
    }

    /// <summary>With its dot; empty for a type without one.</summary>
    public static string ExtensionOf(string type) =>
        Known.FirstOrDefault(known => known.Type == type).Extension ?? "";

    /// <summary>What every model that sees images takes (api B.12).</summary>
    public static bool IsImage(string type) => type is "image/png" or "image/jpeg" or "image/gif" or "image/webp";

    public static bool IsText(string type) =>
        type.StartsWith("text/", StringComparison.Ordinal) || Textual.Contains(type);
}
