namespace Tenon.Server.Mcp;

/// <summary>
/// Why a server cannot be used now (api C.6). The session goes on without it, and it is tried again when the session
/// next goes from idle to running.
/// </summary>
/// <param name="Type">One of the two below.</param>
/// <param name="Message">Shown to clients: what, and what to do; no secret.</param>
public sealed record McpFault(string Server, string Type, string Message)
{
    public const string Connection = "mcp_connection_failed_error";
    public const string Authentication = "mcp_authentication_failed_error";
}

/// <summary>A request to a server is refused on this side, or its answer is. It leaves the folder as a value.</summary>
/// <param name="type">Of the <see cref="McpFault"/> that it becomes.</param>
internal sealed class McpFaultException(string type, string message) : Exception(message)
{
    public string Type => type;
}
