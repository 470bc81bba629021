using System.Net;
using Tenon.Server.Environments;

namespace Tenon.Server.Web;

/// <summary>What counts as the address of a page, and when two of them are the same.</summary>
public static class WebAddress
{
    /// <summary>Below it other protocols live, whose servers might take a request for one of their own.</summary>
    private const int FirstOtherPort = 1024;

    /// <summary>The address without its fragment, its host in lower case and in ASCII.</summary>
    /// <exception cref="WebToolException">It is none that may be asked for.</exception>
    public static Uri Parse(string text, int charsMax)
    {
        if (text.Length > charsMax)
        {
            throw new WebToolException(WebToolException.TooLong, $"a URL has at most {charsMax} characters.");
        }

        if (text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '\\')
            || !Uri.TryCreate(text, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
        {
            throw Invalid("url must be a whole http or https URL.");
        }

        if (uri.UserInfo.Length > 0 || uri.Authority.Contains('@', StringComparison.Ordinal))
        {
            throw Invalid("url must hold no user name and no password.");
        }

        if (!uri.IsDefaultPort && uri.Port is not (80 or 443) && uri.Port < FirstOtherPort)
        {
            throw new WebToolException(
                WebToolException.NotAllowed, $"port {uri.Port} is none that web pages are served on.");
        }

        var host = AddressOf(uri) is null ? HostName.TryParse(uri.IdnHost.TrimEnd('.')) : uri.IdnHost;
        return host is null
            ? throw Invalid("url names no host.")
            : new UriBuilder(uri) { Host = host, Fragment = "" }.Uri;
    }

    /// <summary>The address that stands in the place of a name, in whatever spelling; null for a name.</summary>
    public static IPAddress? AddressOf(Uri uri) =>
        uri.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6 ? IPAddress.Parse(uri.IdnHost) : null;

    /// <summary>
    /// The same for all spellings of an address: without scheme, default port, fragment and a slash at the end.
    /// </summary>
    public static string Key(Uri uri) =>
        uri.IdnHost.TrimEnd('.').ToLowerInvariant() + (uri.IsDefaultPort ? "" : $":{uri.Port}")
        + uri.AbsolutePath.TrimEnd('/') + uri.Query;

    private static WebToolException Invalid(string reason) => new(WebToolException.InvalidInput, reason);
}
