using System.Globalization;

namespace Tenon.Server.Environments;

/// <summary>
/// Hosts that may be reached: <c>example.com</c> is that host, <c>*.example.com</c> every host below it and not itself.
/// With a port (<c>example.com:8443</c>), that port alone; without one, <see cref="DefaultPorts"/>.
/// </summary>
public sealed record HostPattern
{
    private const string Wildcard = "*.";

    private HostPattern(string name, bool isWildcard, int? port) => (Name, IsWildcard, Port) = (name, isWildcard, port);

    /// <summary>What a pattern without a port allows.</summary>
    public static IReadOnlyList<int> DefaultPorts { get; } = [80, 443];

    /// <summary>The name, or for a wildcard the name that the hosts are below of.</summary>
    public string Name { get; }

    public bool IsWildcard { get; }

    public int? Port { get; }

    /// <exception cref="FormatException">It is no pattern; the message says what it should be.</exception>
    public static HostPattern Parse(string text)
    {
        if (text.Contains("://", StringComparison.Ordinal))
        {
            throw Wrong(text, "leave the scheme out");
        }

        if (text.AsSpan().ContainsAny("/?#@"))
        {
            throw Wrong(text, "it must be a host and no URL");
        }

        var colon = text.LastIndexOf(':');
        int? port = null;
        if (colon >= 0)
        {
            var digits = text.AsSpan(colon + 1);
            port = ushort.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given > 0
                ? given : throw Wrong(text, "the port must be a number from 1 to 65535");
            text = text[..colon];
        }

        var isWildcard = text.StartsWith(Wildcard, StringComparison.Ordinal);
        var name = HostName.TryParse(isWildcard ? text[Wildcard.Length..] : text)
            ?? throw Wrong(text, "an address cannot be allowed, and '*' only stands alone at the start");
        return new HostPattern(name, isWildcard, port);
    }

    /// <param name="host">As <see cref="HostName.TryParse"/> gives it.</param>
    public bool Matches(string host, int port) =>
        (Port is { } only ? port == only : DefaultPorts.Contains(port))
        && (IsWildcard
            ? host.Length > Name.Length + 1 && host.EndsWith(Name, StringComparison.Ordinal)
                && host[host.Length - Name.Length - 1] == '.'
            : host == Name);

    /// <summary>Whether a host and a port are of both.</summary>
    public bool Overlaps(HostPattern other) =>
        Ports.Intersect(other.Ports).Any() && (Covers(other) || other.Covers(this));

    public override string ToString() =>
        (IsWildcard ? Wildcard : "") + Name + (Port is { } port ? $":{port}" : "");

    private IReadOnlyList<int> Ports => Port is { } only ? [only] : DefaultPorts;

    // All names of the other one, or the name below which they are.
    private bool Covers(HostPattern other) => Name == other.Name ? IsWildcard == other.IsWildcard
        : IsWildcard && other.Name.EndsWith('.' + Name, StringComparison.Ordinal);

    private static FormatException Wrong(string text, string why) =>
        new($"'{text}' is not a host such as example.com or *.example.com: {why}.");
}
