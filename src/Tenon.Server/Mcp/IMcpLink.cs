using ModelContextProtocol.Client;

namespace Tenon.Server.Mcp;

/// <summary>The way to one server, below the protocol. Disposing it ends the way, and nothing asks on it any more.
/// </summary>
internal interface IMcpLink : IAsyncDisposable
{
    IClientTransport Transport { get; }

    /// <summary>Why the way is over, or what came over it is refused; null while neither is so.</summary>
    McpFaultException? Fault { get; }

    /// <summary>Whether this is the token that requests carry.</summary>
    bool Carries(string? token);

    /// <summary>Before a request of the protocol.</summary>
    ValueTask Begin();

    /// <summary>After what <see cref="Begin"/> began.</summary>
    void End();
}
