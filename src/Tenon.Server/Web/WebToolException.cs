namespace Tenon.Server.Web;

/// <summary>A web tool cannot do what it was asked. The model reads the message, which begins with the code.</summary>
/// <param name="code">As the contract names it, such as <c>url_not_allowed</c>.</param>
public sealed class WebToolException(string code, string reason) : Exception($"{code}: {reason}")
{
    public const string InvalidInput = "invalid_tool_input";
    public const string TooLong = "url_too_long";
    public const string NotAllowed = "url_not_allowed";
    public const string NotInContext = "url_not_in_prior_context";
    public const string NotAccessible = "url_not_accessible";
    public const string TooMany = "too_many_requests";
    public const string UnsupportedType = "unsupported_content_type";
    public const string QueryTooLong = "query_too_long";
    public const string Unavailable = "unavailable";

    public string Code => code;
}
