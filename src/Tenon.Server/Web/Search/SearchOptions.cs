namespace Tenon.Server.Web.Search;

/// <summary>What the operator says about searches.</summary>
/// <param name="Backend"><c>searxng</c>, <c>brave</c>, <c>tavily</c>, <c>local</c>; null for none.</param>
public sealed record SearchOptions(string? Backend)
{
    public const string Searxng = "searxng";
    public const string Brave = "brave";
    public const string Tavily = "tavily";
    public const string Local = "local";

    public static IReadOnlyList<string> Backends { get; } = [Searxng, Brave, Tavily, Local];

    /// <summary>Where the service is; needed by all but <c>local</c>.</summary>
    public Uri? Url { get; init; }

    /// <summary>The key of <c>brave</c> and <c>tavily</c>.</summary>
    public string? Key { get; init; }

    /// <summary>The folder of <c>local</c>.</summary>
    public string? Folder { get; init; }

    /// <summary>Where the files of <see cref="Folder"/> are served, if they are; it ends with a slash.</summary>
    public Uri? FolderUrl { get; init; }

    /// <summary>Says nothing of the key.</summary>
    public override string ToString() => Backend ?? "none";
}
