using System.Text.Json;
using Tenon.Server.Mcp;
using Tenon.Server.Models;
using Tenon.Server.Tools;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// Builds a model request from the agent and the history alone, so that each request begins as the last one did.
/// </summary>
public static class Prompt
{
    private const int CharactersPerToken = 4;

    /// <summary>What providers count for the largest picture that they show a model.</summary>
    private const int ImageTokens = 1_600;

    /// <summary>A document of some twenty pages: how many it has is not known here.</summary>
    private const int DocumentTokens = 40_000;

    /// <summary>Tools of MCP servers in one request: as many as an agent may have in all (api B.1).</summary>
    private const int McpToolsMax = 256;

    /// <summary>Where an agent with sandbox tools finds and leaves files (api F.1).</summary>
    private const string SandboxNote =
        "You work in a Linux sandbox of your own. The working directory is /workspace; its files are kept "
        + "between turns. "
        + "Files the user attached are in /mnt/session/uploads (read-only). Put finished files for the user in "
        + "/mnt/session/outputs.";

    /// <summary>The same where the client runs the tools: what is mounted there is not ours to say (api F.2).</summary>
    private const string SelfHostedNote =
        "Your tools run in a sandbox that the user provides. Unless you are told otherwise, the working directory is "
        + "/workspace.";

    /// <param name="offer">What the server itself has for the agent: web tools, and those of the platform.</param>
    /// <param name="notes">What the session has beside its agent, told after the agent's own prompt.</param>
    public static ModelRequest Build(
        SessionAgent agent, History history, ToolOffer offer, IReadOnlyList<string> notes)
    {
        var tools = Tools(agent.Tools, offer, history.Mcp.Tools);
        return new ModelRequest
        {
            Model = history.Fallback ?? agent.Model.Id,
            Effort = agent.Model.Effort,
            Speed = agent.Model.Speed,
            System = System(
                agent.System, tools, [history.Session.IsSelfHosted ? SelfHostedNote : SandboxNote, .. notes]),
            Tools = tools,
            // A copy: the history grows while the model answers.
            Messages = [.. history.Messages],
        };
    }

    /// <summary>About how many tokens a message has: four characters each, and so many for every picture.</summary>
    public static int EstimateTokens(ModelMessage message) => message.Content.Sum(content => content switch
    {
        ModelText text => text.Text.Length,
        ModelThinking thinking => thinking.Thinking.Length + thinking.Signature.Length,
        ModelToolUse use => use.Name.Length + use.Input.GetRawText().Length,
        ModelToolResult result => result.Content.Sum(Characters),
        ModelMedia media => Characters(media.Block),
        ModelRedactedThinking redacted => redacted.Data.Length,
        _ => 0,
    }) / CharactersPerToken;

    private static int Characters(ContentBlock block) => block switch
    {
        TextBlock text => text.Text.Length,
        ImageBlock => ImageTokens * CharactersPerToken,
        DocumentBlock { Source: { Type: "text", Data: { } text } } => text.Length,
        DocumentBlock => DocumentTokens * CharactersPerToken,
        SearchResultBlock found => found.Title.Length + found.Source.Length + found.Content.Sum(Characters),
        _ => 0,
    };

    // All notes are about files, which only an agent with sandbox tools can reach.
    private static string System(string? own, IReadOnlyList<ModelTool> tools, IReadOnlyList<string> notes) =>
        string.Join("\n\n", new[] { own }.Concat(
            tools.Any(tool => BuiltinTools.IsSandboxed(tool.Name)) ? notes : [])
            .Where(part => !string.IsNullOrEmpty(part)));

    // What may change from turn to turn stands last, so that what is before it stays a prefix.
    private static IReadOnlyList<ModelTool> Tools(
        IReadOnlyList<AgentTool> tools, ToolOffer offer, IReadOnlyList<McpTool> mcpTools) =>
    [
        .. offer.Platform,
        .. BuiltinTools.Sandboxed.Concat(offer.Web).Where(tool => Permission.IsEnabled(tools, tool.Name)),
        .. tools.OfType<CustomTool>().Select(tool => new ModelTool(tool.Name, tool.Description, tool.InputSchema)),
        .. mcpTools.Where(tool => Permission.IsEnabled(tools, tool)).Take(McpToolsMax)
            .Select(tool => new ModelTool(tool.Offered, tool.Description, tool.InputSchema)),
    ];
}

/// <summary>What the server itself has for an agent.</summary>
/// <param name="Web">The web tools that this server has.</param>
/// <param name="Platform">Those by which it works with other agents.</param>
public sealed record ToolOffer(IReadOnlyList<ModelTool> Web, IReadOnlyList<ModelTool> Platform);
