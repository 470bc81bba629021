using Tenon.Server.Environments;

namespace Tenon.Server.Images;

/// <summary>
/// Where the operator has packages come from in place of the public registries; null leaves the public one. Sandboxes
/// use the same, and reach these hosts where they may reach package managers.
/// </summary>
public sealed record PackageMirrors
{
    /// <summary>A line of <c>sources.list</c>, such as <c>deb http://mirror.example/debian bookworm main</c>.</summary>
    public string? Apt { get; init; }

    /// <summary>A sparse index, such as <c>https://mirror.example/cargo/</c>.</summary>
    public Uri? Cargo { get; init; }

    public Uri? Gem { get; init; }

    /// <summary>A module proxy. Its modules are not looked up in the public checksum database.</summary>
    public Uri? Go { get; init; }

    public Uri? Npm { get; init; }

    /// <summary>A simple index, such as <c>https://mirror.example/pypi/simple/</c>.</summary>
    public Uri? Pip { get; init; }

    /// <summary>The hosts that these names lead to.</summary>
    public IReadOnlyList<HostPattern> Hosts =>
        [.. ((Uri?[])[AptUrl, Cargo, Gem, Go, Npm, Pip]).OfType<Uri>().Select(HostOf)];

    /// <summary>What tells the programs in every sandbox of them.</summary>
    internal IEnumerable<(string, string)> Variables =>
    [
        .. Npm is null ? [] : (IEnumerable<(string, string)>)[("npm_config_registry", Npm.AbsoluteUri)],
        .. Pip is null ? [] : (IEnumerable<(string, string)>)
            [("PIP_INDEX_URL", Pip.AbsoluteUri), ("PIP_TRUSTED_HOST", Pip.Authority)],
        .. Go is null ? [] : (IEnumerable<(string, string)>)[("GOPROXY", Go.AbsoluteUri), ("GOSUMDB", "off")],
    ];

    private Uri? AptUrl => Apt?.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(word => Uri.TryCreate(word, UriKind.Absolute, out var url) ? url : null)
        .FirstOrDefault(url => url is not null);

    /// <exception cref="FormatException">It is no URL of http or https.</exception>
    public static Uri ParseUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? new Uri(text)
            : throw new FormatException($"'{text}' is not a URL such as https://mirror.example/.");

    private static HostPattern HostOf(Uri url) =>
        HostPattern.Parse(url.IsDefaultPort ? url.IdnHost : $"{url.IdnHost}:{url.Port}");
}
