using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>Our request as the body of Anthropic's Messages API.</summary>
/// <remarks>
/// The JSON is written here, field by field, because the SDK's own records keep objects such as a tool's input in hash
/// tables: their keys come out in another order than the model wrote them, and the prompt cache needs stable bytes.
/// </remarks>
internal static class AnthropicRequest
{
    /// <summary>The API allows four breakpoints; tools and system take one each.</summary>
    private const int CachedUserTurnsMax = 2;

    // The body is only ever sent over HTTP, so nothing needs escaping for HTML.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What in the request this service cannot be asked, as a sentence; null when all is well.</summary>
    public static string? Unsupported(ModelRequest request) =>
        ModelMedias.Of(request).Any(source => source.Type == "file") ? ModelMedias.FileNotSupported : null;

    public static Dictionary<string, JsonElement> Body(ModelRequest request, CatalogModel model)
    {
        var body = new Dictionary<string, JsonElement>
        {
            ["model"] = JsonSerializer.SerializeToElement(request.Model),
            ["max_tokens"] = JsonSerializer.SerializeToElement(Math.Min(request.MaxOutputTokens, model.MaxTokens)),
            ["messages"] = Write(writer => WriteMessages(writer, request.Messages)),
        };
        if (request.Tools.Count > 0)
        {
            body["tools"] = Write(writer => WriteTools(writer, request.Tools));
        }

        if (request.System.Length > 0)
        {
            body["system"] = Write(writer => WriteSystem(writer, request.System));
        }

        if (request.Speed == "fast")
        {
            body["speed"] = JsonSerializer.SerializeToElement("fast");
        }

        WriteThinking(body, request, model);
        return body;
    }

    // A wrong `thinking` or `effort` fails the whole request, and which ones a model takes depends on the model. So
    // adaptive thinking is asked for only where the catalogue knows that the model has it; a model that is not in the
    // catalogue does what it does when nothing is said. An effort that someone chose is passed on to every model but
    // those that are known to refuse it.
    private static void WriteThinking(Dictionary<string, JsonElement> body, ModelRequest request, CatalogModel model)
    {
        if (model.AdaptiveThinking)
        {
            body["thinking"] = JsonSerializer.SerializeToElement(
                new Dictionary<string, string> { ["type"] = "adaptive" });
        }

        if (request.Effort is { } effort && (model.Efforts is null || model.Efforts.Contains(effort)))
        {
            body["output_config"] = JsonSerializer.SerializeToElement(
                new Dictionary<string, string> { ["effort"] = effort });
        }
    }

    private static void WriteTools(Utf8JsonWriter writer, IReadOnlyList<ModelTool> tools)
    {
        writer.WriteStartArray();
        for (var index = 0; index < tools.Count; index++)
        {
            writer.WriteStartObject();
            writer.WriteString("name", tools[index].Name);
            writer.WriteString("description", tools[index].Description);
            writer.WritePropertyName("input_schema");
            tools[index].InputSchema.WriteTo(writer);
            WriteBreakpoint(writer, index == tools.Count - 1);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteSystem(Utf8JsonWriter writer, string system)
    {
        writer.WriteStartArray();
        WriteText(writer, system, breakpoint: true);
        writer.WriteEndArray();
    }

    private static void WriteMessages(Utf8JsonWriter writer, IReadOnlyList<ModelMessage> messages)
    {
        var cachedFrom = messages
            .Select((message, index) => (message.Role, index))
            .Where(turn => turn.Role == ModelRole.User)
            .Select(turn => turn.index)
            .TakeLast(CachedUserTurnsMax)
            .FirstOrDefault();
        writer.WriteStartArray();
        for (var index = 0; index < messages.Count; index++)
        {
            var message = messages[index];
            var blocks = message.Content.Where(IsSent).ToList();
            if (blocks.Count == 0)
            {
                continue;
            }

            writer.WriteStartObject();
            writer.WriteString("role", message.Role == ModelRole.User ? "user" : "assistant");
            writer.WriteStartArray("content");
            for (var block = 0; block < blocks.Count; block++)
            {
                var isLast = block == blocks.Count - 1;
                WriteContent(writer, blocks[block], isLast && message.Role == ModelRole.User && index >= cachedFrom);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    // The API refuses empty text, and thinking that it did not sign: another model wrote that.
    private static bool IsSent(ModelContent content) => content switch
    {
        ModelText text => text.Text.Length > 0,
        ModelThinking thinking => thinking.Signature.Length > 0,
        _ => true,
    };

    private static void WriteContent(Utf8JsonWriter writer, ModelContent content, bool breakpoint)
    {
        switch (content)
        {
            case ModelText text:
                WriteText(writer, text.Text, breakpoint);
                return;
            case ModelMedia media:
                WriteBlock(writer, media.Block, breakpoint);
                return;
        }

        writer.WriteStartObject();
        switch (content)
        {
            case ModelThinking thinking:
                writer.WriteString("type", "thinking");
                writer.WriteString("thinking", thinking.Thinking);
                writer.WriteString("signature", thinking.Signature);
                break;
            case ModelRedactedThinking redacted:
                writer.WriteString("type", "redacted_thinking");
                writer.WriteString("data", redacted.Data);
                break;
            case ModelToolUse use:
                writer.WriteString("type", "tool_use");
                writer.WriteString("id", use.Id);
                writer.WriteString("name", use.Name);
                writer.WritePropertyName("input");
                use.Input.WriteTo(writer);
                break;
            case ModelToolResult result:
                WriteToolResult(writer, result);
                break;
        }

        WriteBreakpoint(writer, breakpoint);
        writer.WriteEndObject();
    }

    private static void WriteToolResult(Utf8JsonWriter writer, ModelToolResult result)
    {
        writer.WriteString("type", "tool_result");
        writer.WriteString("tool_use_id", result.ToolUseId);
        writer.WriteBoolean("is_error", result.IsError);
        writer.WriteStartArray("content");
        foreach (var block in result.Content.Where(block => block is not TextBlock { Text: "" }))
        {
            WriteBlock(writer, block, breakpoint: false);
        }

        writer.WriteEndArray();
    }

    private static void WriteBlock(Utf8JsonWriter writer, ContentBlock block, bool breakpoint)
    {
        switch (block)
        {
            case TextBlock text:
                WriteText(writer, text.Text, breakpoint);
                return;
            case ImageBlock image:
                WriteMedia(writer, "image", image.Source, null, breakpoint);
                return;
            case DocumentBlock document:
                WriteMedia(writer, "document", document.Source, document, breakpoint);
                return;
            case SearchResultBlock:
                // The wire block is Anthropic's own, and it stands in tool results only, which carry no breakpoint.
                JsonSerializer.Serialize(writer, block, Tenon.Wire.WireJson.Default.ContentBlock);
                return;
            default:
                WriteText(writer, $"[a block of type {block.Type} that cannot be shown]", breakpoint);
                return;
        }
    }

    private static void WriteText(Utf8JsonWriter writer, string text, bool breakpoint)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "text");
        writer.WriteString("text", text);
        WriteBreakpoint(writer, breakpoint);
        writer.WriteEndObject();
    }

    private static void WriteMedia(
        Utf8JsonWriter writer, string type, MediaSource source, DocumentBlock? document, bool breakpoint)
    {
        writer.WriteStartObject();
        writer.WriteString("type", type);
        writer.WriteStartObject("source");
        writer.WriteString("type", source.Type);
        WriteOptional(writer, "media_type", source.MediaType);
        WriteOptional(writer, "data", source.Data);
        WriteOptional(writer, "url", source.Url);
        writer.WriteEndObject();
        WriteOptional(writer, "title", document?.Title);
        WriteOptional(writer, "context", document?.Context);
        WriteBreakpoint(writer, breakpoint);
        writer.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }

    private static void WriteBreakpoint(Utf8JsonWriter writer, bool breakpoint)
    {
        if (breakpoint)
        {
            writer.WriteStartObject("cache_control");
            writer.WriteString("type", "ephemeral");
            writer.WriteEndObject();
        }
    }

    private static JsonElement Write(Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, Plain))
        {
            write(writer);
        }

        return JsonElement.Parse(bytes.WrittenSpan);
    }
}
