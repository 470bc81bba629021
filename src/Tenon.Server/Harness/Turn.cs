using Tenon.Server.Events;
using Tenon.Server.Models;
using Tenon.Server.Storage;
using Tenon.Server.Tools;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>
/// The loop that makes an agent: from <c>running</c> to <c>idle</c>. Every arrow that matters after a crash is an
/// append, so a new owner that folds the same log takes the same next step.
/// </summary>
/// <remarks>
/// <code>
///  1 project the log ► 2 build the request ► 3 stream the model ► 4 append the answer ► 5 permission
///         ▲                                                                                │
///         └── 8 stop, go on or wait ◄── 7 append each result ◄── 6 run the calls ◄─────────┘
/// </code>
/// It never throws for the outside world: a model's fault is a value, a tool's failure is a result. What leaves is the
/// caller's cancellation (the server stops: nothing is appended, the next owner goes on) and a failed append.
/// </remarks>
/// <param name="log">The thread that it is a turn of.</param>
public sealed partial class Turn(
    ThreadLog log, IModel model, ToolRunner tools, Feed feed, Limits limits, TimeProvider clock)
    : IDisposable
{
    private const string ToolUseLimit = "tool_use_limit_reached_error";

    private const string StuckNote =
        "[You are repeating calls that give the same results as before. Change your approach, or say what keeps you "
        + "from going on. If you go on like this, you will be stopped.]";

    private CancellationTokenSource _interrupt = new();
    private HashSet<string> _inherited = [];

    // The last append that nothing has acted on yet. It is awaited before something does, and before the turn is left.
    // Appends become durable in their order, so it stands for those before it too.
    private Task _pending = Task.CompletedTask;

    /// <summary>Another owner was at work on this turn, so that it may have sent the calls that are open.</summary>
    public bool IsTakenOver { get; init; }

    /// <summary>What the model is told about the session, beside the agent's own prompt. The same for its whole life.
    /// </summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    private History History => log.History;

    private SessionAgent Agent => log.Agent;

    /// <summary>Whether the log calls for a turn of the thread.</summary>
    public static bool IsDue(History history) =>
        history.Status is SessionStatus.Running or SessionStatus.Rescheduling && !history.IsSuspended;

    /// <summary>The entries that say that the thread runs, and so its session.</summary>
    public static IReadOnlyList<object> Running(ThreadLog log) =>
    [
        new Later(() => log.Session.History.Status == SessionStatus.Running
            ? [] : [new On(log.Session.Primary.ThreadId, new SessionStatusRunning())]),
        new Shown(new ThreadStatusRunning { SessionThreadId = log.ThreadId, AgentName = log.Agent.Name }),
        new Later(() => WorkflowSteps.Resume(log)),
    ];

    /// <summary>The entries that say that the thread has ended for good (api C.10).</summary>
    public static IReadOnlyList<object> Terminated(ThreadLog log) =>
        [new Shown(new ThreadStatusTerminated { SessionThreadId = log.ThreadId, AgentName = log.Agent.Name })];

    /// <summary>
    /// The entries that say that it is idle, and that the session is when no other thread runs, with what was used just
    /// before (api C.4).
    /// </summary>
    public static IReadOnlyList<object> Idle(ThreadLog log, StopReason reason, StopDetails? details = null) =>
        [IdleThread(log, reason, details), new Later(() => WorkflowSteps.Rest(log)),
            new Later(() => IdleSession(log.Session, reason))];

    private static Shown IdleThread(ThreadLog log, StopReason reason, StopDetails? details) => new(new ThreadStatusIdle
    {
        SessionThreadId = log.ThreadId, AgentName = log.Agent.Name, StopReason = reason, StopDetails = details,
    });

    /// <summary>Stops what runs now. The <c>user.interrupt</c> itself already waits in the log.</summary>
    public void Interrupt() => _interrupt.Cancel();

    public void Dispose() => _interrupt.Dispose();

    /// <summary>Runs until the session is idle and that is durable.</summary>
    public async Task Run(CancellationToken cancellationToken)
    {
        try
        {
            await Resume();
            while (IsDue(History))
            {
                await InterruptibleStep(cancellationToken);
            }
        }
        finally
        {
            // The next owner reads the log: it must not miss what is still being flushed.
            await _pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task InterruptibleStep(CancellationToken cancellationToken)
    {
        using (var step = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _interrupt.Token))
        {
            try
            {
                await Step(step.Token);
            }
            catch (OperationCanceledException)
                when (_interrupt.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                // The user interrupted what ran.
            }
        }

        // The interrupt itself waits in the log, so the next step closes what it cut short: once, whenever it came.
        if (_interrupt.IsCancellationRequested)
        {
            _interrupt.Dispose();
            _interrupt = new CancellationTokenSource();
        }
    }

    /// <summary>One round of the loop; the log says which. (Step 1 is the history, folded on every append.)</summary>
    private async Task Step(CancellationToken cancellationToken)
    {
        if (History.Waiting.Any(waiting => waiting is UserInterrupt))
        {
            await log.Append(EndInterrupted(log));
        }
        else if (History.Round.Any(call => call.CanRun))
        {
            await RunCalls(cancellationToken);                          // 6, 7
        }
        else if (History.Round.Count > 0)
        {
            var ids = History.Round.Where(call => call.IsOpen).Select(call => call.Id).ToList();
            await Idle(StopReason.RequiresAction(ids));                 // 8: wait
        }
        else if (NextOfOutcome(cancellationToken) is { } next)
        {
            await next;                                                 // its task, or 8: whether it is reached
        }
        else if (History.ToolRounds >= limits.ToolRoundsMax)
        {
            await Exhaust([], ToolUseLimit,
                $"The agent made {limits.ToolRoundsMax} rounds of tool calls without finishing.");
        }
        else if (History.NeedsAnswer && History.Progress.StaleRounds >= limits.StaleRoundsMax)
        {
            await Exhaust([], ToolUseLimit, $"The agent went in circles: {limits.StaleRoundsMax} rounds of tool calls "
                + "brought nothing but what it had seen before.");
        }
        else if (History is { NeedsAnswer: true, Progress.IsWarned: false }
            && History.Progress.StaleRounds >= (limits.StaleRoundsMax + 1) / 2)
        {
            await log.Append(new Told(StuckNote) { Id = Told.Stuck });
        }
        else if (log.IsAtBudget && (History.NeedsAnswer || History.Waiting.Count > 0 || HasMessages))
        {
            await Pause();
        }
        else if (History is { NeedsAnswer: true, Waiting: [SystemMessage, ..] })
        {
            await log.Append(TakeWaiting(log));                            // what it follows has taken effect
        }
        else if (History.NeedsAnswer && HasMessages)
        {
            await log.Append(TakeMessages());                           // what other agents said meanwhile
        }
        else if (History.NeedsAnswer && AreCredentialsDue)
        {
            await LookAtCredentials(cancellationToken);
        }
        else if (History.NeedsAnswer && !History.Mcp.IsListed && Agent.McpServers.Count > 0)
        {
            await ListTools(cancellationToken);
        }
        else if (History.NeedsAnswer && IsNearWindow)
        {
            await Compact(cancellationToken);
        }
        else if (History.NeedsAnswer)
        {
            await AskModel(cancellationToken);                          // 2, 3, 4, 5
        }
        else if (History.Waiting.Count > 0 || HasMessages)
        {
            await log.Append(TakeWaiting(log));                            // 8: go on
        }
        else
        {
            await log.Append(Finish(log, StopReason.EndTurn));          // 8: stop
        }
    }

    /// <summary>Takes over what an earlier owner left: its open request is over, its open calls may have run.</summary>
    private async Task Resume()
    {
        _inherited = IsTakenOver ? History.Round.Select(call => call.Id).ToHashSet() : [];
        var left = new List<object>();
        if (History.OpenRequestId is { } open)
        {
            left.Add(RequestEnd(Agent, open, isError: true, new ModelUsage()));
        }

        if (History.Status == SessionStatus.Rescheduling)
        {
            left.AddRange(Running(log));
        }

        if (left.Count > 0)
        {
            await log.Append(left);
        }
    }

    private async Task AskModel(CancellationToken cancellationToken)
    {
        var request = Prompt.Build(Agent, History, Offer, Notes); // 2
        var startId = log.NextId();

        // The request may leave before its start is on disk: repeating it after a crash is harmless.
        _pending = log.Append(new ModelRequestStart { Id = startId });
        var preview = new MessagePreview(feed, log);
        var response = await Stream(request, preview, cancellationToken);  // 3
        if (response.Fault is { } fault)
        {
            await Retry(startId, fault, response.Usage, cancellationToken);
            return;
        }

        var verdicts = await JudgeCalls(request, response, cancellationToken);  // 5
        var answer = Answer(startId, response, preview, verdicts);
        if (response.Stop == ModelStop.Refusal)
        {
            answer.AddRange(Finish(log, StopReason.Refusal, new StopDetails
            {
                Category = response.Refusal?.Category,
                Explanation = response.Refusal?.Explanation,
            }));
        }

        _pending = log.Append(answer);                                  // 4
    }

    private async Task<ModelResponse> Stream(
        ModelRequest request, MessagePreview preview, CancellationToken cancellationToken)
    {
        await foreach (var chunk in model.Stream(request, cancellationToken))
        {
            switch (chunk)
            {
                case ModelChunk.Thinking:
                    preview.Think();
                    break;
                case ModelChunk.Text text:
                    preview.Say(text);
                    break;
                case ModelChunk.Finished finished:
                    return finished.Response;
            }
        }

        return ModelResponse.Unfinished;
    }

    /// <summary>The inputs that waited, now taking effect, in the order in which they came.</summary>
    private static List<object> TakeWaiting(ThreadLog log) =>
    [
        .. log.History.ToTell.Select(told => told with { Waits = false }),
        .. log.History.Waiting.Where(waiting => waiting is not UserInterrupt).Select(log.Stamp),
    ];

    /// <summary>
    /// The turn is dead: what waited behind it takes effect without an answer, and the next message starts anew.
    /// </summary>
    private Task Exhaust(IReadOnlyList<object> before, string errorType, string message) => log.Append(
    [
        .. before, new Shown(Error(errorType, message, "exhausted")), .. TakeWaiting(log),
        .. Finish(log, StopReason.RetriesExhausted, failure: message, isLast: errorType == ToolUseLimit),
    ]);

    /// <summary>Ends the turn together with its last entries: a crash between them would start it again.</summary>
    private Task Idle(StopReason reason, params IReadOnlyList<object> before) =>
        log.Append([.. before, .. Idle(log, reason)]);

    private static SessionError Error(string type, string message, string retryStatus) => new()
    {
        Error = new EventError { Type = type, Message = message, RetryStatus = new TypeOnlyStatus(retryStatus) },
    };

    private static ModelRequestEnd RequestEnd(
        SessionAgent agent, string startId, bool isError, ModelUsage usage) => new()
    {
        ModelRequestStartId = startId,
        IsError = isError,
        ModelUsage = Used(agent, usage),
    };

    private static RequestUsage Used(SessionAgent agent, ModelUsage usage) => new()
    {
        InputTokens = usage.InputTokens,
        OutputTokens = usage.OutputTokens,
        CacheReadInputTokens = usage.CacheReadTokens,
        CacheCreationInputTokens = usage.CacheWrite5mTokens + usage.CacheWrite1hTokens,
        Speed = agent.Model.Speed == "fast" ? agent.Model.Speed : null,
    };
}
