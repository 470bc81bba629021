using Tenon.Server.Mcp;
using Tenon.Wire.Agents;
using Tenon.Wire.Events;

namespace Tenon.Server.Tools;

/// <summary>
/// Whether a call runs at once, waits for the client, or is refused (api B.1 policies, C.2 evaluation).
/// </summary>
/// <param name="Verdict"><c>allow ask deny</c>.</param>
/// <param name="Evaluation">Null when the call is refused before any policy.</param>
public sealed record Permission(string Verdict, Evaluation? Evaluation)
{
    /// <summary>Judges a call of a built-in tool by the agent's toolsets.</summary>
    /// <param name="verdict">What the judge said, for a call under <c>auto</c>; null when it was not asked.</param>
    public static Permission Of(IReadOnlyList<AgentTool> tools, string name, string? verdict) =>
        Of(Policy(tools, name), verdict);

    /// <summary>Judges a call of an MCP server's tool.</summary>
    /// <inheritdoc cref="Of(IReadOnlyList{AgentTool}, string, string?)"/>
    public static Permission Of(IReadOnlyList<AgentTool> tools, McpTool tool, string? verdict) =>
        Of(Policy(tools, tool), verdict);

    /// <summary>Whether the call's policy is <c>auto</c>, so that a judge must be asked first.</summary>
    public static bool IsJudged(IReadOnlyList<AgentTool> tools, string name) =>
        Policy(tools, name) == PermissionPolicy.Auto;

    /// <inheritdoc cref="IsJudged(IReadOnlyList{AgentTool}, string)"/>
    public static bool IsJudged(IReadOnlyList<AgentTool> tools, McpTool tool) =>
        Policy(tools, tool) == PermissionPolicy.Auto;

    /// <summary>Whether the agent may use the built-in tool at all.</summary>
    public static bool IsEnabled(IReadOnlyList<AgentTool> tools, string name) => Policy(tools, name) is not null;

    /// <summary>Whether the agent may use the MCP server's tool at all.</summary>
    public static bool IsEnabled(IReadOnlyList<AgentTool> tools, McpTool tool) => Policy(tools, tool) is not null;

    private static Permission Of(string? policy, string? verdict)
    {
        if (policy is null)
        {
            return new Permission("deny", null);
        }

        return policy switch
        {
            PermissionPolicy.AlwaysAllow => new Permission("allow", new Evaluation { Type = policy }),
            PermissionPolicy.AlwaysAsk => new Permission("ask", new Evaluation { Type = policy }),
            _ => Judged(verdict),
        };
    }

    private static Permission Judged(string? verdict)
    {
        var permission = verdict switch
        {
            "allow" => new AutoPermission { Type = "allow" },
            "deny" => new AutoPermission { Type = "deny", ReasonCode = "high_risk" },
            _ => new AutoPermission { Type = "ask", ReasonCode = "indeterminate" },
        };
        return new Permission(
            permission.Type, new Evaluation { Type = PermissionPolicy.Auto, EvaluatedPermission = permission });
    }

    private static string? Policy(IReadOnlyList<AgentTool> tools, string name) =>
        AgentToolset.ToolNames.Contains(name)
            ? tools.OfType<AgentToolset>()
                .Select(set => Policy(set.Configs, set.DefaultConfig, name, PermissionPolicy.AlwaysAllow))
                .FirstOrDefault(policy => policy is not null)
            : null;

    private static string? Policy(IReadOnlyList<AgentTool> tools, McpTool tool) =>
        tools.OfType<McpToolset>().Where(set => set.McpServerName == tool.Server)
            .Select(set => Policy(set.Configs, set.DefaultConfig, tool.Name, PermissionPolicy.AlwaysAsk))
            .FirstOrDefault(policy => policy is not null);

    private static string? Policy(
        IReadOnlyList<ToolConfig>? configs, ToolDefaults? defaults, string name, string usual)
    {
        var config = configs?.FirstOrDefault(entry => entry.Name == name);
        return config?.Enabled ?? defaults?.Enabled ?? true
            ? (config?.PermissionPolicy ?? defaults?.PermissionPolicy)?.Type ?? usual : null;
    }
}
