using System.Runtime.CompilerServices;

namespace Tenon.Server.Models;

/// <summary>A scripted model that needs no key and no network. It says what it is, and really uses its tools.</summary>
/// <remarks>Its answer is a pure function of the request; what it says and does is <see cref="DemoPlan"/>.</remarks>
public sealed class DemoModel : IModel
{
    /// <summary>Enough for a client to see that text comes in pieces; more would only be noise.</summary>
    private const int FragmentsMax = 4;

    /// <summary>The usual estimate for English.</summary>
    private const int CharsPerToken = 4;

    public async IAsyncEnumerable<ModelChunk> Stream(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var step = DemoPlan.Next(request);
        foreach (var fragment in Fragments(step.Text))
        {
            await Task.Yield(); // each fragment reaches the reader on its own, as a real model's do
            cancellationToken.ThrowIfCancellationRequested();
            yield return new ModelChunk.Text(0, fragment);
        }

        yield return new ModelChunk.Finished(Answer(request, step));
    }

    private static ModelResponse Answer(ModelRequest request, DemoStep step)
    {
        var content = new List<ModelContent> { new ModelText(step.Text) };
        if (step.Tool is { } tool)
        {
            // The id counts the calls of the conversation, so that it is unique in it and the same in every run.
            var number = request.Messages.SelectMany(message => message.Content).OfType<ModelToolUse>().Count() + 1;
            content.Add(new ModelToolUse($"demo_{number}", tool, step.Input));
        }

        return new ModelResponse
        {
            Stop = step.Tool is null ? ModelStop.EndTurn : ModelStop.ToolUse,
            Content = content,
            Usage = new ModelUsage { InputTokens = Tokens(InputChars(request)), OutputTokens = Tokens(step.Chars) },
        };
    }

    private static IEnumerable<string> Fragments(string text)
    {
        var size = Math.Max(1, (text.Length + FragmentsMax - 1) / FragmentsMax);
        for (var start = 0; start < text.Length;)
        {
            var end = Math.Min(text.Length, start + size);
            if (end < text.Length && char.IsHighSurrogate(text[end - 1]))
            {
                end++; // half of a character cannot be sent
            }

            yield return text[start..end];
            start = end;
        }
    }

    private static int InputChars(ModelRequest request) =>
        request.System.Length
        + request.Tools.Sum(tool => tool.Name.Length + tool.Description.Length)
        + request.Messages.SelectMany(message => message.Content).Sum(content => content switch
        {
            ModelText text => text.Text.Length,
            ModelToolUse use => use.Input.GetRawText().Length,
            ModelToolResult result => DemoPlan.Text(result).Length,
            _ => 0,
        });

    private static long Tokens(int chars) => (chars + CharsPerToken - 1) / CharsPerToken;
}
