namespace Tenon.Server.Mcp;

/// <summary>The bearer token that a session's vaults have for a server (api G).</summary>
/// <remarks>
/// It is asked whenever a connection is made and whenever a turn begins, so that a token that was changed or taken away
/// counts from then on.
/// </remarks>
/// <param name="serverUrl">As the agent has it; the vault normalises it.</param>
/// <param name="rejectedToken">
/// The server has just answered 401 to this one: a token that can be refreshed is to be. Null when nothing was
/// rejected.
/// </param>
/// <returns>
/// Null when there is none, and after a rejection when there is no other: the server is then asked without one, or the
/// authentication has failed. It does not throw for a refresh that fails.
/// </returns>
public delegate Task<string?> McpTokenOf(
    string sessionId, string serverUrl, string? rejectedToken, CancellationToken cancellationToken);
