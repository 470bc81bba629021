using System.Net.Sockets;
using ModelContextProtocol;
using Tenon.Server.Egress;
using Tenon.Server.Sandboxes;
using Tenon.Server.Web;

namespace Tenon.Server.Mcp;

/// <summary>What an exception on the way to a server means, in words for the client and the operator.</summary>
internal static class McpReason
{
    /// <summary>
    /// Only what is known to say nothing secret: an exception's own message may have a server's words in it, or ours.
    /// </summary>
    /// <param name="waited">How long the server had, should it have been too long.</param>
    public static McpFault Of(string server, Exception exception, TimeSpan waited, McpLimits limits)
    {
        var fault = exception as McpFaultException;
        return new McpFault(server, fault?.Type ?? McpFault.Connection,
            $"The MCP server '{server}' cannot be used: {fault?.Message ?? Words(exception, waited, limits)} "
            + "It is tried again when the session next goes from idle to running.");
    }

    /// <summary>Whether the request that failed never left, so that it did nothing.</summary>
    public static bool WasNotSent(Exception exception) =>
        exception is McpFaultException { Type: McpFault.Authentication }
            or HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError
                or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError };

    public static string Words(Exception exception, TimeSpan waited, McpLimits limits) => exception switch
    {
        McpFaultException fault => fault.Message,
        OperationCanceledException or TimeoutException => $"it did not answer within {waited.TotalSeconds:0} s.",
        HttpRequestException http => Words(http),
        SandboxException sandbox => $"it runs in the sandbox, and that is not there: {sandbox.Message}",
        McpProtocolException protocol =>
            $"it answered with an error: {TextCut.At(protocol.Message, limits.ErrorCharsMax)}",
        McpException => "what answers at its URL does not speak MCP.",
        SocketException => "its name has no address.",
        _ => "the connection to it was lost, or what it answers is not MCP.",
    };

    private static string Words(HttpRequestException exception) => exception switch
    {
        { InnerException: AddressRefusedException refusal } => refusal.Message
            + " An operator lets a private range through with egress.allowed_ranges.",
        { StatusCode: { } status } => $"it answered with the HTTP status {(int)status}.",
        { HttpRequestError: HttpRequestError.NameResolutionError } => "its name has no address.",
        { HttpRequestError: HttpRequestError.SecureConnectionError } => "it could not prove over TLS who it is.",
        { InnerException: SocketException { SocketErrorCode: SocketError.HostNotFound } } => "its name has no address.",
        { HttpRequestError: HttpRequestError.ConnectionError } => "it cannot be connected to.",
        _ => "the connection to it failed.",
    };
}
