using System.Runtime.CompilerServices;
using System.Text.Json;
using Tenon.Server.Models;
using Tenon.Wire.Content;

namespace Tenon.Server.Tests.Simulation;

/// <summary>A model that answers what the scenario says for the place that the conversation has reached.</summary>
internal sealed class SimulatedModel(Scenario scenario, World world) : IModel
{
    private readonly Dictionary<int, int> _failed = [];

    /// <summary>A number for a text, so that a request of the same words always costs the same.</summary>
    public const int CharsPerToken = 4;

    public int ContextWindow(string model) => scenario.ContextWindow;

    public async IAsyncEnumerable<ModelChunk> Stream(
        ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var number = Scenario.Next(Texts(request));
        await world.Pass(cancellationToken);
        if (scenario.IsTeam)
        {
            yield return new ModelChunk.Finished(SimulatedTeam.Answer(request));
            yield break;
        }

        if (_failed.GetValueOrDefault(number) < scenario.Faults.GetValueOrDefault(number))
        {
            _failed[number] = _failed.GetValueOrDefault(number) + 1;
            yield return new ModelChunk.Finished(ModelResponse.Failed(ModelFaultKind.Overloaded, "scripted"));
            yield break;
        }

        if (IsGrader(request))
        {
            yield return new ModelChunk.Finished(Graded(request, number));
            yield break;
        }

        var text = IsSummary(request) ? $"Everything through {number - 1}." : $"This is answer {number}.";
        yield return new ModelChunk.Text(0, text[..4]);
        await world.Pass(cancellationToken);
        yield return new ModelChunk.Text(0, text[4..]);
        await world.Pass(cancellationToken);
        var calls = IsSummary(request) || number >= scenario.Answers.Count ? [] : scenario.Answers[number];
        yield return new ModelChunk.Finished(new ModelResponse
        {
            Stop = calls.Count > 0 ? ModelStop.ToolUse : ModelStop.EndTurn,
            Content = [new ModelText(text), .. calls.Select(Use)],
            Usage = new ModelUsage { InputTokens = Tokens(request), OutputTokens = 10 },
        });
    }

    private static bool IsGrader(ModelRequest request) => request.Tools.Any(tool => tool.Name == "give_verdict");

    /// <summary>It looks at a file first, and then at the number of the agent's last answer.</summary>
    private static ModelResponse Graded(ModelRequest request, int number) => new()
    {
        Stop = ModelStop.ToolUse,
        Content =
        [
            request.Messages.Count == 1
                ? new ModelToolUse("look", "read", JsonElement.Parse("""{"file_path":"graded"}"""))
                : new ModelToolUse("verdict", "give_verdict", JsonSerializer.SerializeToElement(
                    new Dictionary<string, string>
                    {
                        ["result"] = number - 1 == Scenario.LastOfFirstTry ? "needs_revision" : "satisfied",
                        ["explanation"] = "as planned",
                    })),
        ],
        Usage = new ModelUsage { InputTokens = Tokens(request), OutputTokens = 10 },
    };

    private static ModelToolUse Use(PlannedCall call) => new(call.Name, call.Tool, Input(call));

    private static JsonElement Input(PlannedCall call) => JsonSerializer.SerializeToElement(
        call.Tool == "bash"
            ? new Dictionary<string, string> { ["command"] = call.Name }
            : new Dictionary<string, string> { ["file_path"] = call.Name, ["content"] = "x" });

    private static bool IsSummary(ModelRequest request) => request.Messages[^1].Content is
        [.., ModelText { Text: var text }] && text.StartsWith("The conversation is about", StringComparison.Ordinal);

    private static int Tokens(ModelRequest request) => Texts(request).Sum(text => text.Length) / CharsPerToken;

    private static IEnumerable<string> Texts(ModelRequest request) =>
        request.Messages.SelectMany(message => message.Content).Select(content => content switch
        {
            ModelText text => text.Text,
            ModelToolUse use => use.Id,
            ModelToolResult result => string.Concat(result.Content.OfType<TextBlock>().Select(block => block.Text)),
            _ => "",
        });
}
