global using Xunit;
global using AgentTool = Anthropic.Models.Beta.Agents.Tool;
