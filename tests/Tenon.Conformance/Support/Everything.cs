using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.Support;

/// <summary>What stands behind the programs that use all that an agent can have.</summary>
public static class Everything
{
    /// <summary>An MCP server that wants this token.</summary>
    public static McpHost Host(string token) => new McpHost(McpHostKind.Stateful)
    {
        Before = http => McpHost.Answer(http, http.Request.Headers.Authorization == $"Bearer {token}" ? null : 401),
    }.Says("search", "two repositories");

    /// <summary>A model that calls the custom tool, the server's tool and reads the skill.</summary>
    public static ModelScript Model(Lab lab) => lab.Model(
        Reply.ToolUse("get_weather", new { city = "Oslo" }),
        Reply.ToolUse("mcp__code__search", new { text = "lamps" }),
        Reply.ToolUse("read", new { file_path = "/mnt/skills/greeting/SKILL.md" }),
        Reply.Text("That is all."));
}
