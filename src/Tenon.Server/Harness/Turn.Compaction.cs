using Tenon.Server.Models;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>Keeping a long conversation inside the model's window: the model itself summarises what is old.</content>
public sealed partial class Turn
{
    private const string SummaryRequest =
        """
        The conversation is about to be shortened. Write down everything that is needed to go on with the work without
        it: what the user asked for, in their own words where they matter; what was done and found, with file names,
        commands and results; what was decided and why; what is unfinished and what comes next. Call no tools.
        """;

    private string AskedModel => History.Fallback ?? Agent.Model.Id;

    /// <summary>Whether the next request would come too near to the window.</summary>
    private bool IsNearWindow => History.ContextTokens > model.ContextWindow(AskedModel) * limits.CompactionShare;

    private async Task Compact(CancellationToken cancellationToken)
    {
        if (History.CompactionsInARow >= limits.CompactionsInARowMax)
        {
            await Exhaust([], "compaction_limit_reached_error",
                $"The conversation was shortened {limits.CompactionsInARowMax} times in a row and is still too long.");
            return;
        }

        // The same request with one more paragraph: all of what the provider has cached of it counts.
        var request = Prompt.Build(Agent, History, Offer, Notes);
        var last = request.Messages[^1];
        var asked = last with { Content = [.. last.Content, new ModelText(SummaryRequest)] };
        request = request with { Messages = [.. request.Messages.SkipLast(1), asked] };
        var startId = log.NextId();
        _pending = log.Append(new ModelRequestStart { Id = startId });
        var response = await model.Answer(request, cancellationToken);
        var summary = string.Concat(response.Content.OfType<ModelText>().Select(text => text.Text));
        var fault = response.Fault ?? (summary.Length > 0 ? null : new ModelFault(
            ModelFaultKind.Unavailable, "The model gave no summary of the conversation.", null));
        if (fault is not null)
        {
            await Retry(startId, fault, response.Usage, cancellationToken);
            return;
        }

        var costUsd = log.Prices.RequestUsd(Agent.Model with { Id = AskedModel }, response.Usage);
        await log.Append(
            RequestEnd(Agent, startId, isError: false, response.Usage),
            new Compacted
            {
                Summary = summary,
                Kept = CountKept(),
                Usage = response.Usage,
                CostUsd = costUsd ?? 0,
                IsUnpriced = costUsd is null,
            },
            new AgentThreadContextCompacted());
    }

    /// <summary>
    /// How many of the newest messages stay as they are: as many as fit the share, from an answer of the model on, so
    /// that every call keeps its result and the summary stands where the user speaks.
    /// </summary>
    private int CountKept()
    {
        var room = (int)(model.ContextWindow(AskedModel) * limits.CompactionKeptShare);
        var kept = 0;
        for (var i = History.Messages.Count - 1; i > 0; i--)
        {
            room -= Prompt.EstimateTokens(History.Messages[i]);
            if (room < 0)
            {
                break;
            }

            if (History.Messages[i].Role == ModelRole.Assistant)
            {
                kept = History.Messages.Count - i;
            }
        }

        return kept;
    }
}
