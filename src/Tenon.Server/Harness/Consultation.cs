using System.Text;
using Tenon.Server.Models;
using Tenon.Wire.Content;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>What an advisor is told: who it is, the work so far, and what it is asked (api C.9).</summary>
internal static class Consultation
{
    public const string System =
        """
        You advise another agent that is at work. You are shown its instructions and what it has said and done, and
        then its question. Answer the question: be concrete, say what you would do next and why, and point out what it
        overlooks. You cannot act yourself, and you are asked once: do not ask back.
        """;

    /// <summary>Characters of the work that are shown, the newest: about a third of a usual window.</summary>
    private const int TranscriptMax = 250_000;

    /// <summary>Characters of one result: enough to see what it was.</summary>
    private const int ResultMax = 8_000;

    public static string Input(SessionAgent agent, IReadOnlyList<ModelMessage> messages, string question) =>
        new StringBuilder("The agent's instructions:\n\n").Append(agent.System ?? "(none)")
            .Append("\n\nIts work so far:\n\n").Append(Transcript(messages))
            .Append("\n\nIts question:\n\n").Append(question).ToString();

    /// <summary>The conversation as a text, the newest of it.</summary>
    public static string Transcript(IReadOnlyList<ModelMessage> messages)
    {
        var parts = new List<string>();
        var room = TranscriptMax;
        for (var i = messages.Count - 1; i >= 0 && room > 0; i--)
        {
            var part = Describe(messages[i]);
            parts.Add(part.Length > room ? "[…] " + part[^room..] : part);
            room -= part.Length;
        }

        parts.Reverse();
        return string.Join("\n\n", parts);
    }

    private static string Describe(ModelMessage message)
    {
        var who = message.Role == ModelRole.User ? "[User]" : "[Agent]";
        return $"{who} " + string.Join("\n", message.Content.Select(Describe).Where(text => text.Length > 0));
    }

    private static string Describe(ModelContent content) => content switch
    {
        ModelText text => text.Text,
        ModelToolUse use => $"[calls {use.Name} with {Cut(use.Input.GetRawText())}]",
        ModelToolResult result => "[result] " + Cut(string.Concat(result.Content.OfType<TextBlock>()
            .Select(block => block.Text))),
        ModelMedia => "[a picture or a document]",
        _ => "",
    };

    private static string Cut(string text) => text.Length <= ResultMax ? text : text[..ResultMax] + " […]";
}
