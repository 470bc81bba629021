using System.Text.Json;
using Tenon.Server.Mcp;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>MCP servers: what they offer is asked once a turn, and written down before the model is told.</content>
public sealed partial class Turn
{
    /// <summary>
    /// A server that is away costs the turn its tools, and no more. A crash before the append asks again: asking
    /// changes nothing.
    /// </summary>
    private async Task ListTools(CancellationToken cancellationToken)
    {
        var without = History.Session.IsSelfHosted ? Agent.McpServers.Where(server => server.IsStdio).ToList() : [];
        var listings = await tools.ListMcp([.. Agent.McpServers.Except(without)], cancellationToken)
            .WaitAsync(cancellationToken);
        listings = [.. listings, .. without.Select(server => new McpListing(server.Name, [], NoSandbox(server.Name)))];
        var faults = listings.Select(listing => listing.Fault).OfType<McpFault>();
        await log.Append([History.Mcp.Entry(listings), .. faults.Select(fault => new Shown(Error(fault)))]);
    }

    /// <summary>
    /// Notes that the calls are about to go to their servers: an owner that finds one without a result after this knows
    /// that it may have taken effect.
    /// </summary>
    private async Task NoteSent(IReadOnlyList<Call> calls)
    {
        var ids = calls.Where(call => call is { Mcp: not null, IsDenied: false } && !History.Mcp.WasSent(call.Id))
            .Select(call => call.Id).ToList();
        if (ids.Count > 0)
        {
            await log.Append(new McpSent(ids));
        }
    }

    private static McpFault NoSandbox(string server) => new(server, McpFault.Connection,
        $"The MCP server '{server}' cannot be used: it is a program in a sandbox of Tenon's, and the session's "
        + "environment is self_hosted.");

    // The contract has no word for it but this: it is tried again, though not within the turn.
    private static SessionError Error(McpFault fault)
    {
        var error = Error(fault.Type, fault.Message, "retrying");
        return error with
        {
            Error = error.Error with
            {
                Extra = new Dictionary<string, JsonElement>
                {
                    ["mcp_server_name"] = JsonSerializer.SerializeToElement(fault.Server),
                },
            },
        };
    }
}
