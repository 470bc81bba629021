using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Tenon.Server.Models;

/// <summary>Puts the updates of a chat stream together. Owned by one stream; not safe for two threads.</summary>
internal sealed class ChatAnswer
{
    private readonly StringBuilder text = new();
    private readonly StringBuilder refusal = new();
    private readonly List<FunctionCallContent> calls = [];
    private ModelUsage usage = new();
    private ChatFinishReason? finish;
    private bool thinkingShown;

    /// <summary>True once the service has said why it stopped.</summary>
    public bool IsWhole => finish is not null;

    /// <summary>What the content gives to show, or null.</summary>
    public ModelChunk? Take(AIContent content)
    {
        switch (content)
        {
            case TextContent { Text.Length: > 0 } fragment:
                text.Append(fragment.Text);
                return new ModelChunk.Text(0, fragment.Text);
            case TextReasoningContent when !thinkingShown && text.Length == 0:
                thinkingShown = true;
                return new ModelChunk.Thinking();
            case FunctionCallContent call:
                calls.Add(call);
                return null;
            case UsageContent used:
                usage = Read(used.Details);
                return null;
            default:
                return null;
        }
    }

    public void Take(ChatFinishReason? reason) => finish = reason ?? finish;

    /// <summary>More of the model's refusal, or null.</summary>
    public void Refuse(string? fragment) => refusal.Append(fragment);

    /// <exception cref="JsonException">The input of a tool is not JSON.</exception>
    public ModelResponse Finish()
    {
        var refused = refusal.Length > 0 || finish == ChatFinishReason.ContentFilter;
        var cut = finish == ChatFinishReason.Length;
        if (cut && calls.Count > 0)
        {
            calls.RemoveAt(calls.Count - 1); // the limit cut its input
        }

        var content = new List<ModelContent>();
        if (text.Length > 0)
        {
            content.Add(new ModelText(text.ToString()));
        }

        if (!refused)
        {
            content.AddRange(calls.Select(Use));
        }

        return new ModelResponse
        {
            // Some services say "stop" although they call tools, so the calls decide.
            Stop = (refused, cut, calls.Count) switch
            {
                (true, _, _) => ModelStop.Refusal,
                (_, true, _) => ModelStop.MaxTokens,
                (_, _, > 0) => ModelStop.ToolUse,
                _ => ModelStop.EndTurn,
            },
            Content = content,
            Usage = usage,
            Refusal = refused ? Refusal() : null,
        };
    }

    private ModelRefusal Refusal() => new(
        finish == ChatFinishReason.ContentFilter ? "content_filter" : null,
        refusal.Length > 0 ? refusal.ToString() : null);

    private static ModelToolUse Use(FunctionCallContent call) => call.Exception is { } problem
        ? throw new JsonException("the input of a tool is not JSON", problem)
        : new ModelToolUse(call.CallId, call.Name, JsonSerializer.SerializeToElement(
            call.Arguments ?? new Dictionary<string, object?>()));

    // Chat services count what their cache gave as input too; ours does not.
    private static ModelUsage Read(UsageDetails details)
    {
        var cached = details.CachedInputTokenCount ?? 0;
        return new ModelUsage
        {
            InputTokens = Math.Max(0, (details.InputTokenCount ?? 0) - cached),
            OutputTokens = details.OutputTokenCount ?? 0,
            CacheReadTokens = cached,
        };
    }
}
