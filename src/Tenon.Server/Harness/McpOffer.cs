using System.Text.Json;
using Tenon.Server.Mcp;

namespace Tenon.Server.Harness;

/// <summary>
/// What the MCP servers offer and which calls went to them, as the log says: a part of the <see cref="History"/>.
/// </summary>
public sealed class McpOffer
{
    private readonly Dictionary<string, IReadOnlyList<McpTool>> _last = [];
    private readonly HashSet<string> _sent = [];
    private IReadOnlyList<McpTool> _tools = [];

    /// <summary>Whether the servers have been asked since the session last went from idle to running.</summary>
    public bool IsListed { get; private set; }

    /// <summary>The tools of all servers that are there, enabled or not, in the servers' order.</summary>
    public IReadOnlyList<McpTool> Tools => _tools;

    /// <summary>The tool that models know by this name; null when it is none of these.</summary>
    public McpTool? Find(string offered) => _tools.FirstOrDefault(tool => tool.Offered == offered);

    /// <summary>What a call of a tool goes to, by the tool's own names and the one that models know.</summary>
    public McpTarget Target(string server, string tool, string offered)
    {
        var known = Find(offered);
        return new McpTarget(server, tool, known?.CanRepeat == true, known?.IsSandboxed == true);
    }

    /// <summary>Whether the call may have reached its server.</summary>
    public bool WasSent(string callId) => _sent.Contains(callId);

    /// <summary>The entry that says what was listed; a list that has not changed is not written down again.</summary>
    public McpListed Entry(IReadOnlyList<McpListing> listings) => new([.. listings.Select(listing =>
        new McpServerListed(
            listing.Server,
            listing.Fault is not null || IsAsBefore(listing) ? null : listing.Tools,
            listing.Fault is not null))]);

    internal void Begin() => IsListed = false;

    internal void Apply(McpListed listed)
    {
        foreach (var server in listed.Servers.Where(server => server.Tools is not null))
        {
            _last[server.Name] = server.Tools!;
        }

        _tools = [.. listed.Servers.Where(server => !server.IsAway)
            .SelectMany(server => _last.GetValueOrDefault(server.Name) ?? [])];
        IsListed = true;
    }

    internal void Apply(McpSent sent) => _sent.UnionWith(sent.CallIds);

    /// <summary>A new answer: the calls of the one before have their results.</summary>
    internal void Forget() => _sent.Clear();

    private bool IsAsBefore(McpListing listing) => _last.TryGetValue(listing.Server, out var before)
        && before.Count == listing.Tools.Count
        && before.Zip(listing.Tools).All(pair => AreSame(pair.First, pair.Second));

    private static bool AreSame(McpTool one, McpTool other) =>
        one with { InputSchema = default } == other with { InputSchema = default }
        && JsonElement.DeepEquals(one.InputSchema, other.InputSchema);
}
