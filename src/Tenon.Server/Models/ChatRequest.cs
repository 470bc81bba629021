using System.Buffers.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using Tenon.Wire.Content;

namespace Tenon.Server.Models;

/// <summary>Our request in the words of <c>Microsoft.Extensions.AI</c>, as chat completions can carry it.</summary>
internal static partial class ChatRequest
{
    /// <summary>What in the request this service cannot be asked, as a sentence; null when all is well.</summary>
    public static string? Unsupported(ModelRequest request)
    {
        foreach (var source in ModelMedias.Of(request))
        {
            if (source.Type == "file")
            {
                return ModelMedias.FileNotSupported;
            }

            if (source.Type == "base64" && !Base64.IsValid(source.Data))
            {
                return "An image or a document is not valid base64.";
            }
        }

        foreach (var document in ModelMedias.Blocks(request).OfType<DocumentBlock>())
        {
            if (document.Source is not ({ Type: "text" } or { Type: "base64", MediaType: "application/pdf" }))
            {
                return "This model service takes documents as text or as base64 of type application/pdf only.";
            }
        }

        return null;
    }

    public static List<ChatMessage> Messages(ModelRequest request)
    {
        var messages = new List<ChatMessage>();
        if (request.System.Length > 0)
        {
            messages.Add(new ChatMessage(ChatRole.System, request.System));
        }

        foreach (var message in request.Messages)
        {
            if (message.Role == ModelRole.Assistant)
            {
                Add(messages, ChatRole.Assistant, message.Content.Select(AssistantContent).OfType<AIContent>());
            }
            else
            {
                AddUser(messages, message.Content);
            }
        }

        return messages;
    }

    public static ChatOptions Options(ModelRequest request) => new()
    {
        // The default is a guess that suits Claude. Services refuse a limit above the model's own, which we do not
        // know, so only a limit that someone chose is sent.
        MaxOutputTokens = request.MaxOutputTokens < ModelCatalog.UnknownOutputTokensMax
            ? request.MaxOutputTokens
            : null,
        Reasoning = Effort(request),
        Tools = [.. request.Tools.Select(tool =>
            AIFunctionFactory.CreateDeclaration(tool.Name, tool.Description, tool.InputSchema))],
    };

    // Models that do not reason refuse the field, and only these names say that the model does.
    private static ReasoningOptions? Effort(ModelRequest request) =>
        request.Effort is not { } effort || !ReasoningModel().IsMatch(request.Model)
            ? null
            : new ReasoningOptions
            {
                Effort = effort switch
                {
                    "low" => ReasoningEffort.Low,
                    "medium" => ReasoningEffort.Medium,
                    _ => ReasoningEffort.High, // the highest that all of them take
                },
            };

    // Thinking is left out: chat completions have no place for it, and only who signed it could read it.
    private static AIContent? AssistantContent(ModelContent content) => content switch
    {
        ModelText { Text.Length: > 0 } text => new TextContent(text.Text),
        ModelToolUse use => new FunctionCallContent(use.Id, use.Name, use.Input.EnumerateObject()
            .ToDictionary(property => property.Name, object? (property) => property.Value)),
        _ => null,
    };

    // Every call must be answered before anything else is said, and a tool's message holds text only, so the images
    // of results come after them, in the user's words.
    private static void AddUser(List<ChatMessage> messages, IReadOnlyList<ModelContent> contents)
    {
        var spoken = new List<AIContent>();
        foreach (var result in contents.OfType<ModelToolResult>())
        {
            messages.Add(new ChatMessage(
                ChatRole.Tool, [new FunctionResultContent(result.ToolUseId, ResultText(result))]));
            foreach (var media in result.Content.Where(IsMedia))
            {
                spoken.Add(new TextContent($"From the result of call {result.ToolUseId}:"));
                spoken.Add(Media(media));
            }
        }

        foreach (var content in contents)
        {
            switch (content)
            {
                case ModelText { Text.Length: > 0 } text:
                    spoken.Add(new TextContent(text.Text));
                    break;
                case ModelMedia media:
                    spoken.Add(Media(media.Block));
                    break;
            }
        }

        Add(messages, ChatRole.User, spoken);
    }

    private static void Add(List<ChatMessage> messages, ChatRole role, IEnumerable<AIContent> contents)
    {
        var list = contents.ToList();
        if (list.Count > 0)
        {
            messages.Add(new ChatMessage(role, list));
        }
    }

    private static string ResultText(ModelToolResult result)
    {
        var text = string.Join('\n', result.Content.Select(block => block switch
        {
            ImageBlock or DocumentBlock when IsMedia(block) => "[shown in the next message]",
            _ => Text(block),
        }));
        return (result.IsError, text.Length) switch
        {
            (true, _) => $"[error] {text}", // a tool's message has no flag for it
            (false, 0) => "(no output)",
            _ => text,
        };
    }

    private static bool IsMedia(ContentBlock block) =>
        block is ImageBlock or DocumentBlock { Source.Type: not "text" };

    private static AIContent Media(ContentBlock block) => block switch
    {
        ImageBlock { Source: { Type: "base64" } source } => Data(source),
        ImageBlock { Source: { Url: { } url } source } => new UriContent(url, source.MediaType ?? "image/*"),
        DocumentBlock { Source: { Type: "base64" } source } document => Data(source, document.Title),
        _ => new TextContent(Text(block)),
    };

    private static DataContent Data(MediaSource source, string? name = null) =>
        new($"data:{source.MediaType};base64,{source.Data}", source.MediaType) { Name = name };

    private static string Text(ContentBlock block) => block switch
    {
        TextBlock text => text.Text,
        DocumentBlock document => $"{document.Title}\n{document.Context}\n{document.Source.Data}".Trim(),
        SearchResultBlock found =>
            $"{found.Title}\n{found.Source}\n{string.Join('\n', found.Content.Select(Text))}",
        _ => $"[a block of type {block.Type} that cannot be shown]",
    };

    [GeneratedRegex(@"^(o\d|gpt-([5-9]|\d\d))", RegexOptions.CultureInvariant)]
    private static partial Regex ReasoningModel();
}
