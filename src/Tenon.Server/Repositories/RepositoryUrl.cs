using Tenon.Server.Environments;

namespace Tenon.Server.Repositories;

/// <summary>Where a repository is: <c>https://github.com/owner/repo</c>, or on a host that the operator allows.
/// </summary>
/// <param name="Text">As it was given.</param>
/// <param name="Host">As <see cref="HostName.TryParse"/> gives it.</param>
/// <param name="Name">The last part of its path.</param>
public sealed record RepositoryUrl(string Text, string Host, int Port, string Name)
{
    public const string GitHub = "github.com";
    private const int CharsMax = 2_048;

    /// <summary>Groups of groups exist; a path of more parts is a mistake.</summary>
    private const int PartsMax = 20;

    /// <summary>Null when it is none that can be attached.</summary>
    public static RepositoryUrl? TryParse(string text, RepositoryOptions options)
    {
        if (text.Length > CharsMax || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme != "https"
            || url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0
            || HostName.TryParse(url.IdnHost) is not { } host)
        {
            return null;
        }

        // As it was written: a parser may take dots out of a path.
        var parts = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..].Split('/')[1..];
        var isGitHub = host == GitHub && url.IsDefaultPort;
        return parts.Length is > 0 and <= PartsMax && parts.All(IsName) && (isGitHub
            ? parts.Length == 2 : options.Hosts.Any(pattern => pattern.Matches(host, url.Port)))
            && !text.EndsWith(".git", StringComparison.OrdinalIgnoreCase)
                ? new RepositoryUrl(text, host, url.Port, parts[^1]) : null;
    }

    // Its own pattern, and no other host's port.
    public HostPattern Pattern => HostPattern.Parse(FormattableString.Invariant($"{Host}:{Port}"));

    private static bool IsName(string part) => part is not ("" or "." or "..") && part[0] != '-'
        && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '~');
}

/// <summary>What the operator says about repositories.</summary>
public sealed record RepositoryOptions
{
    /// <summary>Hosts beside github.com whose repositories can be attached. Default: none.</summary>
    public IReadOnlyList<HostPattern> Hosts { get; init; } = [];
}
