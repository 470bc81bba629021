using Tenon.Server.Models;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>What follows a model's fault: the same model again, the next of its route, or the turn's end.</content>
public sealed partial class Turn
{
    /// <summary>
    /// Ends the turn after a fault of our own, which the next owner would meet again: the client is told instead of
    /// left waiting, what is open is closed, and the next message starts anew.
    /// </summary>
    public Task Fail() => Exhaust(
        Closing(log, isError: true), "unknown_error",
        "The server failed in the middle of this turn; its own log says why. Send a message to go on.");

    private async Task Retry(
        string startId, ModelFault fault, ModelUsage usage, CancellationToken cancellationToken)
    {
        var (type, canRetry) = Faults.Describe(fault.Kind);
        var attempt = History.FaultsInARow + 1;
        var isLast = !canRetry || attempt >= limits.ModelAttemptsMax;
        var end = RequestEnd(Agent, startId, isError: true, usage);
        var fallback = isLast ? NextFallback() : null;
        if (isLast && fallback is null)
        {
            await Exhaust([end], type, fault.Message);
            return;
        }

        List<object> told = [end, new Shown(Error(type, fault.Message, "retrying")), .. Rescheduled()];
        if (fallback is not null)
        {
            told.Add(new ModelSwitched(fallback));
        }

        await log.Append(told);
        if (fallback is null)
        {
            await Task.Delay(Faults.Delay(attempt, fault.RetryAfter, limits), clock, cancellationToken);
        }

        await log.Append(Running(log));
    }

    /// <summary>The model to fall back to after one that failed for good; null when there is none left.</summary>
    private string? NextFallback() => FallbacksLeft.FirstOrDefault();

    private IEnumerable<string> FallbacksLeft
    {
        get
        {
            var fallbacks = model.Fallbacks(Agent.Model.Id);
            return fallbacks.Skip(History.Fallback is { } now ? fallbacks.ToList().IndexOf(now) + 1 : 0);
        }
    }

    // While another thread runs the session does.
    private IReadOnlyList<object> Rescheduled() =>
    [
        .. log.Session.Threads.Any(thread => thread != log && thread.History.Status == SessionStatus.Running)
            ? [] : (object[])[new On(log.Session.Primary.ThreadId, new SessionStatusRescheduled())],
        new Shown(new ThreadStatusRescheduled { SessionThreadId = log.ThreadId, AgentName = Agent.Name }),
    ];
}
