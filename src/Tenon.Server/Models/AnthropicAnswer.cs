using System.Text;
using System.Text.Json;
using Anthropic.Models.Messages;

namespace Tenon.Server.Models;

/// <summary>Puts the events of Anthropic's stream together. Owned by one stream; not safe for two threads.</summary>
internal sealed class AnthropicAnswer
{
    private readonly SortedDictionary<long, Block> blocks = [];
    private ModelUsage usage = new();
    private string? stopReason;
    private ModelRefusal? refusal;
    private int texts;
    private bool thinkingShown;

    /// <summary>True after <c>message_stop</c>, the one proof that the answer is whole.</summary>
    public bool Stopped { get; private set; }

    /// <summary>What the event gives to show, or null.</summary>
    public ModelChunk? Take(RawMessageStreamEvent step)
    {
        if (step.TryPickContentBlockDelta(out var delta))
        {
            return Take(blocks[delta.Index], delta.Delta);
        }

        if (step.TryPickContentBlockStart(out var start))
        {
            return Start(start.Index, start.ContentBlock);
        }

        if (step.TryPickStart(out var message))
        {
            usage = Read(usage, message.Message.RawData.GetValueOrDefault("usage"));
        }
        else if (step.TryPickDelta(out var end))
        {
            usage = Read(usage, end.RawData.GetValueOrDefault("usage"));
            stopReason = Word(end.Delta.RawData, "stop_reason") ?? stopReason;
            refusal = ReadRefusal(end.Delta.RawData) ?? refusal;
        }
        else if (step.TryPickStop(out _))
        {
            Stopped = true;
        }

        return null;
    }

    /// <summary>The whole answer; call it once, after <see cref="Stopped"/>.</summary>
    /// <exception cref="JsonException">The input of a tool is not JSON.</exception>
    public ModelResponse Finish()
    {
        var whole = blocks.Values.ToList();
        if (stopReason is "max_tokens" or "model_context_window_exceeded" && whole is [.., { Kind: Kind.ToolUse }])
        {
            whole.RemoveAt(whole.Count - 1); // the limit cut its input
        }

        if (stopReason == "refusal")
        {
            whole.RemoveAll(block => block.Kind != Kind.Text); // nothing of a refused answer may run or be sent back
        }

        var content = whole.Select(block => block.Content()).OfType<ModelContent>().ToList();
        var stop = stopReason switch
        {
            "refusal" => ModelStop.Refusal,
            "max_tokens" or "model_context_window_exceeded" => ModelStop.MaxTokens,
            _ => content.Any(block => block is ModelToolUse) ? ModelStop.ToolUse : ModelStop.EndTurn,
        };
        return new ModelResponse
        {
            Stop = stop,
            Content = content,
            Usage = usage,
            Refusal = stop == ModelStop.Refusal ? refusal ?? new ModelRefusal(null, null) : null,
        };
    }

    private ModelChunk? Start(long index, RawContentBlockStartEventContentBlock started)
    {
        var block = new Block(Kind.Other);
        if (started.TryPickText(out var text))
        {
            block = new Block(Kind.Text);
            blocks[index] = block;
            return Text(block, text.Text);
        }

        if (started.TryPickThinking(out var thinking))
        {
            block = new Block(Kind.Thinking) { Signature = Word(thinking.RawData, "signature") ?? "" };
            block.Body.Append(thinking.Thinking);
        }
        else if (started.TryPickRedactedThinking(out var redacted))
        {
            block = new Block(Kind.RedactedThinking);
            block.Body.Append(redacted.Data);
        }
        else if (started.TryPickToolUse(out var use))
        {
            block = new Block(Kind.ToolUse)
            {
                Id = use.ID,
                Name = use.Name,
                StartInput = use.RawData.GetValueOrDefault("input"),
            };
        }

        blocks[index] = block;
        return block.Kind is Kind.Thinking or Kind.RedactedThinking ? Thinking() : null;
    }

    private ModelChunk.Text? Take(Block block, RawContentBlockDelta delta)
    {
        if (delta.TryPickText(out var text))
        {
            return Text(block, text.Text);
        }

        if (delta.TryPickInputJson(out var input))
        {
            block.Body.Append(input.PartialJson);
        }
        else if (delta.TryPickThinking(out var thinking))
        {
            block.Body.Append(thinking.Thinking);
        }
        else if (delta.TryPickSignature(out var signature))
        {
            block.Signature += signature.Signature;
        }

        return null;
    }

    // The place of a text block is given with its first fragment, because blocks that stay empty are dropped.
    private ModelChunk.Text? Text(Block block, string fragment)
    {
        if (fragment.Length == 0)
        {
            return null;
        }

        if (block.Body.Length == 0)
        {
            block.TextIndex = texts++;
        }

        block.Body.Append(fragment);
        return new ModelChunk.Text(block.TextIndex, fragment);
    }

    private ModelChunk.Thinking? Thinking()
    {
        if (thinkingShown || texts > 0)
        {
            return null;
        }

        thinkingShown = true;
        return new ModelChunk.Thinking();
    }

    // Later counts replace earlier ones: message_delta repeats the totals that message_start began.
    private static ModelUsage Read(ModelUsage before, JsonElement raw)
    {
        var after = before with
        {
            InputTokens = Count(raw, "input_tokens") ?? before.InputTokens,
            OutputTokens = Count(raw, "output_tokens") ?? before.OutputTokens,
            CacheReadTokens = Count(raw, "cache_read_input_tokens") ?? before.CacheReadTokens,
        };
        if (raw.ValueKind == JsonValueKind.Object && raw.TryGetProperty("cache_creation", out var classes))
        {
            return after with
            {
                CacheWrite5mTokens = Count(classes, "ephemeral_5m_input_tokens") ?? before.CacheWrite5mTokens,
                CacheWrite1hTokens = Count(classes, "ephemeral_1h_input_tokens") ?? before.CacheWrite1hTokens,
            };
        }

        // Without classes all of it is the five-minute cache, the only one that our breakpoints ask for.
        return Count(raw, "cache_creation_input_tokens") is { } written && before.CacheWrite1hTokens == 0
            ? after with { CacheWrite5mTokens = written }
            : after;
    }

    private static ModelRefusal? ReadRefusal(IReadOnlyDictionary<string, JsonElement> raw) =>
        raw.TryGetValue("stop_details", out var details) && details.ValueKind == JsonValueKind.Object
            ? new ModelRefusal(Word(details, "category"), Word(details, "explanation"))
            : null;

    private static string? Word(IReadOnlyDictionary<string, JsonElement> raw, string name) =>
        raw.TryGetValue(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string? Word(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Count(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object
        && json.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.Number
            ? value.GetInt64()
            : null;

    private enum Kind
    {
        Text,
        Thinking,
        RedactedThinking,
        ToolUse,

        /// <summary>A kind that we never ask for; it is dropped.</summary>
        Other,
    }

    private sealed class Block(Kind kind)
    {
        public Kind Kind { get; } = kind;

        /// <summary>Text, thinking, data or input JSON, as far as it has come.</summary>
        public StringBuilder Body { get; } = new();

        public int TextIndex { get; set; }

        public string Signature { get; set; } = "";

        public string Id { get; init; } = "";

        public string Name { get; init; } = "";

        /// <summary>The input at the start of the block: empty, except from services that do not stream it.</summary>
        public JsonElement StartInput { get; init; }

        public ModelContent? Content() => Kind switch
        {
            Kind.Text => Body.Length > 0 ? new ModelText(Body.ToString()) : null,
            Kind.Thinking => new ModelThinking(Body.ToString(), Signature),
            Kind.RedactedThinking => new ModelRedactedThinking(Body.ToString()),
            Kind.ToolUse => new ModelToolUse(Id, Name, Input()),
            _ => null,
        };

        private JsonElement Input()
        {
            var input = Body.Length > 0 ? JsonElement.Parse(Body.ToString()) : StartInput;
            return input.ValueKind switch
            {
                JsonValueKind.Object => input,
                JsonValueKind.Undefined => JsonElement.Parse("{}"),
                _ => throw new JsonException("the input of a tool is not an object"),
            };
        }
    }
}
