namespace Tenon.Server.Vaults;

/// <summary>The URLs by which MCP servers and their credentials find each other.</summary>
public static class ServerUrl
{
    public const int CharsMax = 2_048;

    /// <summary>
    /// The form in which two URLs of one server are the same: scheme and host in small letters, without the scheme's
    /// own port and a slash at the end (api G). Null when it is no URL of a server.
    /// </summary>
    public static string? Normalize(string text) =>
        text.Length <= CharsMax && Uri.TryCreate(text, UriKind.Absolute, out var url)
        && url.Scheme is "https" or "http" && url.UserInfo.Length == 0 && url.Host.Length > 0
            ? url.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped)
                + url.AbsolutePath.TrimEnd('/') + url.Query
            : null;

    /// <summary>
    /// Whether a secret may be sent there: by TLS, or to this machine itself, where people try things out.
    /// </summary>
    public static bool IsPrivate(string normalized) =>
        new Uri(normalized) is var url && (url.Scheme == "https" || url.IsLoopback);
}
