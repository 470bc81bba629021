using Tenon.Server.Http;
using Tenon.Wire.Agents;

namespace Tenon.Server.Agents;

/// <summary>What the toolsets of one agent may be together (api B.1).</summary>
public static class ToolsetRules
{
    private const int ToolsMax = 256;
    private const int McpToolNameMax = 128;

    /// <exception cref="ApiException">400.</exception>
    public static void Check(IReadOnlyList<AgentTool> tools)
    {
        var sets = new HashSet<(string Type, string? Server)>();
        for (var i = 0; i < tools.Count; i++)
        {
            if (tools[i] is not CustomTool && !sets.Add((tools[i].Type, (tools[i] as McpToolset)?.McpServerName)))
            {
                throw ApiException.Invalid($"tools.{i}", "this toolset is in the list twice.");
            }

            CheckEntries($"tools.{i}.configs", tools[i]);
        }

        // How many tools an MCP server has is not known here; those that are named count.
        var count = tools.Sum(tool => tool switch
        {
            AgentToolset => AgentToolset.ToolNames.Count,
            McpToolset toolset => toolset.Configs!.Count,
            _ => 1,
        });
        if (count > ToolsMax)
        {
            throw ApiException.Invalid("tools", $"at most {ToolsMax} tools are allowed over all toolsets.");
        }
    }

    private static void CheckEntries(string path, AgentTool tool)
    {
        var configs = (tool as AgentToolset)?.Configs ?? (tool as McpToolset)?.Configs ?? [];
        var names = new HashSet<string>();
        for (var i = 0; i < configs.Count; i++)
        {
            if (configs[i].Name.Length is 0 or > McpToolNameMax)
            {
                throw ApiException.Invalid($"{path}.{i}.name", $"must have 1 to {McpToolNameMax} characters.");
            }

            if (!names.Add(configs[i].Name))
            {
                throw ApiException.Invalid($"{path}.{i}.name", $"the name '{configs[i].Name}' is used twice.");
            }
        }
    }
}
