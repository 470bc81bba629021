using System.Text.Json;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench.Soak;

/// <summary>
/// What the model does in a soak: in each turn some commands, each leaving a line that no other leaves, and a last
/// word. It decides from the conversation alone, so it does not matter how often it is asked.
/// </summary>
internal static class SoakModel
{
    public const int RoundsEach = 3;

    private const int FragmentDelayMaxMs = 15;

    public static string Line(string message, int round) => $"{message.Replace(' ', '-')}-{round}";

    public static Reply Answer(JsonElement request)
    {
        var (message, round) = Read(request);
        var reply = round < RoundsEach
            ? Reply.Text("On ", "it. ").Then(Reply.ToolUse("bash", new
            {
                command = $"echo {Line(message, round)} >> effects; sleep 0.0{Random.Shared.Next(10)}",
            }))
            : Reply.Text("All ", "done.");
        return reply with { Gate = _ => Task.Delay(Random.Shared.Next(FragmentDelayMaxMs)) };
    }

    /// <summary>
    /// The last message that the client wrote, and how many calls have followed it. What the model says begins with a
    /// capital.
    /// </summary>
    private static (string Message, int Round) Read(JsonElement request)
    {
        var (message, round) = ("", 0);
        foreach (var block in request.GetProperty("messages").EnumerateArray()
            .SelectMany(turn => turn.GetProperty("content").EnumerateArray()))
        {
            switch (block.GetProperty("type").GetString())
            {
                case "text" when block.GetProperty("text").GetString() is ['s', ..] text:
                    (message, round) = (text, 0);
                    break;
                case "tool_use":
                    round++;
                    break;
            }
        }

        return (message, round);
    }
}
