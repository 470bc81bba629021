global using Xunit;
global using AgentTool = Anthropic.Models.Beta.Agents.Tool;

// The server and its sandboxes are Linux programs.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
