using ModelContextProtocol.Protocol;
using Tenon.Server.Web;

namespace Tenon.Server.Mcp;

/// <summary>A server's list as it is kept: bounded, and without what no model service would take.</summary>
internal static class McpList
{
    private const int NameCharsMax = 128;

    public static IReadOnlyList<McpTool> Of(string server, IReadOnlyList<Tool> listed, McpLimits limits)
    {
        var tools = new List<McpTool>();
        var names = new HashSet<string>();
        var left = limits.ListCharsMax;
        foreach (var tool in listed.Take(limits.ToolsMax))
        {
            if (tool.Name is not { Length: > 0 and <= NameCharsMax } name || names.Contains(name)
                || McpSchema.Adapt(tool.InputSchema, limits.SchemaDepthMax) is not { } schema)
            {
                continue;
            }

            var description = TextCut.At(tool.Description ?? tool.Title ?? "", limits.DescriptionCharsMax);
            left -= name.Length + description.Length + schema.GetRawText().Length;
            if (left < 0)
            {
                break;
            }

            names.Add(name);
            tools.Add(new McpTool(server, name, McpToolName.Of(server, name), description, schema)
            {
                CanRepeat = tool.Annotations is { ReadOnlyHint: true } or { IdempotentHint: true },
            });
        }

        return tools;
    }
}
