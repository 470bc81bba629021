using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Tenon.Server.Models;

namespace Tenon.Server.Tests.Support;

/// <summary>
/// A model that answers what a test wrote down, one answer a request, and remembers what it was asked.
/// </summary>
public sealed class ScriptedModel : IModel
{
    private readonly ConcurrentQueue<Func<ModelRequest, CancellationToken,
        IAsyncEnumerable<ModelChunk>>> _answers = new();
    private readonly Channel<ModelRequest> _asked = Channel.CreateUnbounded<ModelRequest>();

    /// <summary>What every model falls back to.</summary>
    public IReadOnlyList<string> FallsBackTo { get; set; } = [];

    /// <summary>Every request so far.</summary>
    public ConcurrentQueue<ModelRequest> Requests { get; } = new();

    public ScriptedModel Answers(params ModelContent[] content) => Answers(new ModelResponse
    {
        Stop = content.Any(block => block is ModelToolUse) ? ModelStop.ToolUse : ModelStop.EndTurn,
        Content = content,
        Usage = new ModelUsage { InputTokens = 10, OutputTokens = 2 },
    });

    public ScriptedModel Answers(ModelResponse response)
    {
        _answers.Enqueue((_, _) => Chunks(response));
        return this;
    }

    public ScriptedModel Says(string text) => Answers(new ModelText(text));

    public ScriptedModel Calls(string tool, string inputJson, string id = "call_1") =>
        Answers(new ModelToolUse(id, tool, JsonElement.Parse(inputJson)));

    public ScriptedModel Fails(ModelFaultKind kind, TimeSpan? retryAfter = null) =>
        Answers(ModelResponse.Failed(kind, $"scripted {kind}", retryAfter));

    /// <summary>Breaks the promise of a model never to throw, as a fault of our own would.</summary>
    public ScriptedModel Throws()
    {
        _answers.Enqueue((_, _) => throw new InvalidOperationException("scripted fault"));
        return this;
    }

    /// <summary>Streams some text, then nothing until the request is cancelled.</summary>
    public ScriptedModel SaysAndHangs(string text)
    {
        _answers.Enqueue((_, cancellationToken) => Hang(text, cancellationToken));
        return this;
    }

    /// <summary>Answers this text, but not before the test lets it.</summary>
    public TaskCompletionSource SaysWhenReleased(string text)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _answers.Enqueue((_, cancellationToken) => Held(gate.Task, text, cancellationToken));
        return gate;
    }

    /// <summary>Answers this, but not before the test lets it.</summary>
    public TaskCompletionSource AnswersWhenReleased(ModelResponse response)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _answers.Enqueue((_, cancellationToken) => Held(gate.Task, response, cancellationToken));
        return gate;
    }

    /// <summary>Calls the tool, but not before the test lets it.</summary>
    public TaskCompletionSource CallsWhenReleased(string tool, string inputJson) => AnswersWhenReleased(new()
    {
        Stop = ModelStop.ToolUse,
        Content = [new ModelToolUse("call_1", tool, JsonElement.Parse(inputJson))],
        Usage = new ModelUsage { InputTokens = 10, OutputTokens = 2 },
    });

    /// <summary>Completes when the next request has arrived.</summary>
    public async Task<ModelRequest> Asked(CancellationToken cancellationToken) =>
        await _asked.Reader.ReadAsync(cancellationToken);

    public IReadOnlyList<string> Fallbacks(string model) => FallsBackTo;

    public IAsyncEnumerable<ModelChunk> Stream(ModelRequest request, CancellationToken cancellationToken)
    {
        // The conversation goes on while the test looks at what was asked.
        var asked = request with { Messages = [.. request.Messages] };
        Requests.Enqueue(asked);
        _asked.Writer.TryWrite(asked);
        return _answers.TryDequeue(out var answer)
            ? answer(request, cancellationToken)
            : Chunks(ModelResponse.Failed(ModelFaultKind.Rejected, "The script has no more answers."));
    }

    private static async IAsyncEnumerable<ModelChunk> Chunks(ModelResponse response)
    {
        await Task.Yield();
        if (response.Content.Any(block => block is ModelThinking))
        {
            yield return new ModelChunk.Thinking();
        }

        foreach (var (text, index) in response.Content.OfType<ModelText>().Select((text, index) => (text.Text, index)))
        {
            var half = text.Length / 2;
            yield return new ModelChunk.Text(index, text[..half]);
            yield return new ModelChunk.Text(index, text[half..]);
        }

        yield return new ModelChunk.Finished(response);
    }

    private static async IAsyncEnumerable<ModelChunk> Held(
        Task gate, string text, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new ModelChunk.Text(0, text[..1]);
        await gate.WaitAsync(cancellationToken);
        yield return new ModelChunk.Text(0, text[1..]);
        yield return new ModelChunk.Finished(new ModelResponse
        {
            Stop = ModelStop.EndTurn,
            Content = [new ModelText(text)],
            Usage = new ModelUsage { InputTokens = 10, OutputTokens = 2 },
        });
    }

    private static async IAsyncEnumerable<ModelChunk> Held(
        Task gate, ModelResponse response, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        yield return new ModelChunk.Finished(response);
    }

    private static async IAsyncEnumerable<ModelChunk> Hang(
        string text, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new ModelChunk.Text(0, text);
        await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
    }
}
