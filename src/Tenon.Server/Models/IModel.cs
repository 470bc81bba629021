namespace Tenon.Server.Models;

/// <summary>A model that answers one request as a stream. Routes pick the implementation by model id.</summary>
/// <remarks>
/// It never throws for what the outside world does: a refused, cut, slow or malformed answer ends in a
/// <see cref="ModelChunk.Finished"/> whose response has a <see cref="ModelFault"/>. The only exception that leaves
/// is <see cref="OperationCanceledException"/> for the caller's own token. It retries nothing; the harness does.
/// </remarks>
public interface IModel
{
    /// <summary>Chunks in order; the last one, and only the last, is <see cref="ModelChunk.Finished"/>.</summary>
    IAsyncEnumerable<ModelChunk> Stream(ModelRequest request, CancellationToken cancellationToken);

    /// <summary>The whole answer at once, for who shows nothing of it while it is made.</summary>
    async Task<ModelResponse> Answer(ModelRequest request, CancellationToken cancellationToken)
    {
        await foreach (var chunk in Stream(request, cancellationToken))
        {
            if (chunk is ModelChunk.Finished finished)
            {
                return finished.Response;
            }
        }

        return ModelResponse.Unfinished;
    }

    /// <summary>The most tokens that a request to <paramref name="model"/> may have.</summary>
    int ContextWindow(string model) => ModelCatalog.UnknownInputTokensMax;

    /// <summary>Models to ask instead of <paramref name="model"/> when its tries are used up, in order.</summary>
    IReadOnlyList<string> Fallbacks(string model) => [];
}

/// <summary>One step of a streamed answer.</summary>
public abstract record ModelChunk
{
    /// <summary>Extended thinking began; sent once an answer, before any text.</summary>
    public sealed record Thinking : ModelChunk;

    /// <summary>
    /// More text of the text block <paramref name="Index"/> (0, 1, 2 … among the answer's text blocks only).
    /// </summary>
    public sealed record Text(int Index, string Fragment) : ModelChunk;

    /// <summary>The whole answer. What streamed before is a prefix of it.</summary>
    public sealed record Finished(ModelResponse Response) : ModelChunk;
}
