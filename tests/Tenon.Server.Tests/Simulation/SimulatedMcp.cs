using System.Text.Json;
using Tenon.Server.Mcp;
using Tenon.Server.Sandboxes;
using Tenon.Wire.Agents;

namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// MCP servers without receipts, as real ones are: a call whose caller has died takes effect all the same, and nobody
/// hears of it. They count what each call really did.
/// </summary>
internal sealed class SimulatedMcp(World world) : IMcpServers
{
    public const string Server = "remote";

    /// <summary>Says of itself that it changes nothing.</summary>
    public const string Lookup = "lookup";

    /// <summary>Changes something: it must happen once at most.</summary>
    public const string Order = "order";

    /// <summary>How often each call of <see cref="Order"/> took effect, by its marker.</summary>
    public Dictionary<string, int> Effects { get; } = [];

    public async Task<IReadOnlyList<McpListing>> List(
        string sessionId, IReadOnlyList<McpServer> servers, CancellationToken cancellationToken)
    {
        await world.Pass(cancellationToken);
        return [new McpListing(Server, [Tool(Lookup, canRepeat: true), Tool(Order, canRepeat: false)], null)];
    }

    public async Task<McpAnswer> Call(McpCall call, CancellationToken cancellationToken)
    {
        await world.Pass(cancellationToken);
        if (call.Tool == Order)
        {
            var marker = call.Input.GetProperty("file_path").GetString()!;
            Effects[marker] = Effects.GetValueOrDefault(marker) + 1;
        }

        await world.Pass(cancellationToken);
        return new McpAnswer(ToolOutput.Ok($"{call.Tool} of the remote server"), null);
    }

    public Task Close(string sessionId) => Task.CompletedTask;

    private static McpTool Tool(string name, bool canRepeat) => new(
        Server, name, McpToolName.Of(Server, name), "d", JsonElement.Parse("""{"type":"object"}"""))
    {
        CanRepeat = canRepeat,
    };
}
