namespace Tenon.Server.Web;

/// <summary>The sites that a web tool may reach (api B.1). Both null: all of them.</summary>
/// <param name="Allowed">Only these and what is below them.</param>
/// <param name="Blocked">All but these and what is below them.</param>
public sealed record DomainList(IReadOnlyList<string>? Allowed, IReadOnlyList<string>? Blocked)
{
    public static DomainList All { get; } = new(null, null);

    private DomainList? Above { get; init; }

    public bool IsAll => Allowed is null && Blocked is null;

    public bool Permits(Uri uri) =>
        (Allowed is null || Allowed.Any(entry => Matches(entry, uri)))
        && (Blocked is null || !Blocked.Any(entry => Matches(entry, uri)))
        && Above?.Permits(uri) != false;

    /// <summary>What both permit: nobody may have others reach for them what they may not reach (api C.9).</summary>
    public DomainList Within(DomainList above) => new(
        Allowed ?? above.Allowed,
        Blocked is null ? above.Blocked : [.. Blocked, .. above.Blocked ?? []])
    {
        Above = Above?.Within(above) ?? above,
    };

    /// <summary>The host of an entry, which for searches may have a path.</summary>
    public static string HostOf(string entry) =>
        entry.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash ? entry[..slash] : entry;

    private static bool Matches(string entry, Uri uri)
    {
        var domain = HostOf(entry);
        var host = uri.IdnHost.TrimEnd('.');
        var isBelow = host.EndsWith(domain, StringComparison.OrdinalIgnoreCase)
            && (host.Length == domain.Length || host[^(domain.Length + 1)] == '.');
        return isBelow && MatchesPath(entry[domain.Length..], uri.AbsolutePath);
    }

    // A path matches with all that comes after it, and a star in it matches anything.
    private static bool MatchesPath(string pattern, string path)
    {
        var parts = pattern.TrimEnd('/').Split('*');
        if (!path.StartsWith(parts[0], StringComparison.Ordinal))
        {
            return false;
        }

        var at = parts[0].Length;
        foreach (var part in parts.Skip(1))
        {
            var found = path.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0)
            {
                return false;
            }

            at = found + part.Length;
        }

        return true;
    }
}
